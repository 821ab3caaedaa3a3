/// The outputs of the frame that a processor is working on.
final class ProcessorOutlet {
    /// The frame that `process` was called with.
    var current: Frame?
    /// What was handed on with `updateOutputChannel`, in order.
    var emitted: [Frame] = []
    /// What was made with `makeFrame` and may be an output.
    var made: [Frame] = []
    /// What the frame was called where it was sealed, as its decryptors say.
    var claims: [FrameClaim] = []
    let memory: any FrameMemory
    private var spare: [Frame] = []

    init(memory: any FrameMemory) { self.memory = memory }

    /// A new frame with the identity of the current one and no payload.
    func makeFrame() throws(ProcessingError) -> Frame {
        guard let current else { throw .noPipeline(operation: "makeFrame") }
        let frame = spare.popLast() ?? Frame()
        frame.reset(like: current, memory: memory)
        made.append(frame)
        return frame
    }

    /// Takes a frame back for later use, unless someone still holds it: that must not become
    /// another frame under their hands.
    func recycle(_ frame: consuming Frame) {
        var frame = frame
        frame.releaseRegion()
        // One made frame per output slot is what a pipeline needs; 64 is far above that.
        if isKnownUniquelyReferenced(&frame), spare.count < 64 { spare.append(frame) }
    }
}

extension UserDataProcessor {
    /// Hands `frame` on as an output beside the return value: for every frame 0 to 1023 times, in
    /// order, then the returned frame follows. The frame belongs to the pipeline from then on and
    /// must not be used any more; returning it as well does nothing. Outputs of a frame that then
    /// throws are given up.
    public func updateOutputChannel(_ frame: Frame) throws(ProcessingError) {
        guard let outlet, outlet.current != nil else {
            throw .noPipeline(operation: "updateOutputChannel")
        }
        guard frame.isOpen,
            frame === outlet.current || outlet.made.contains(where: { $0 === frame })
        else { throw .staleOutput(processor: Self.processorName) }
        guard outlet.emitted.count < FrameKey.maximumOutputCount else {
            throw .tooManyOutputs(limit: FrameKey.maximumOutputCount)
        }
        frame.close()
        outlet.emitted.append(frame)
    }

    /// Says what the frame was called where it was sealed. A stage accepts each of these once: where a frame
    /// of this run had it before, the controller fails this one. Without a pipeline nothing is refused.
    package func claim(_ claim: FrameClaim) { outlet?.claims.append(claim) }

    /// A new image of zeros in an output slot, with id, time stamp and attributes of the frame that
    /// is being processed.
    public func makeFrame(layout: ArrayLayout) throws -> Frame {
        try makeFrame { frame in
            try layout.checkUncompressed()
            try frame.overwriteBytes(content: .image(layout), byteCount: layout.byteCount) {
                bytes in
                _ = bytes.initializeMemory(as: UInt8.self, repeating: 0)
            }
        }
    }

    /// A new image whose pixels `body` writes, every one of them: they hold anything when it
    /// begins.
    public func makeFrame<Element: ArrayElement>(
        layout: ArrayLayout, of type: Element.Type = Element.self,
        _ body: (inout MutableNDArrayView<Element>) throws -> Void
    ) throws -> Frame {
        try makeFrame { frame in
            try layout.checkUncompressed()
            try frame.overwriteBytes(content: .image(layout), byteCount: layout.byteCount) { _ in }
            try frame.modifyPixels(of: type, body)
        }
    }

    /// The same with bytes, all of which `body` writes.
    public func makeFrame(
        layout: ArrayLayout, _ body: (UnsafeMutableRawBufferPointer) throws -> Void
    ) throws -> Frame {
        try makeFrame { frame in
            try layout.checkUncompressed()
            try frame.overwriteBytes(content: .image(layout), byteCount: layout.byteCount) { _ in }
            try body(try frame.writableBytes())
        }
    }

    /// A new frame with the pixels and the layout of `image`, and id, time stamp and attributes of
    /// the frame that is being processed.
    public func makeFrame(_ image: NDArray) throws -> Frame {
        try makeFrame { frame in try frame.setPixels(image) }
    }

    /// A new frame that carries bytes.
    public func makeFrame(bytes: [UInt8], typeName: String) throws -> Frame {
        try makeFrame { frame in try frame.setBytes(bytes, typeName: typeName) }
    }

    /// A new frame that carries a structure.
    public func makeFrame(structure: Structure, typeName: String = "") throws -> Frame {
        try makeFrame { frame in frame.setStructure(structure, typeName: typeName) }
    }

    private func makeFrame(_ fill: (Frame) throws -> Void) throws -> Frame {
        guard let outlet else { throw ProcessingError.noPipeline(operation: "makeFrame") }
        let frame = try outlet.makeFrame()
        try fill(frame)
        return frame
    }
}

extension ArrayLayout {
    /// Throws where the number of bytes is not what the layout says.
    func checkUncompressed() throws(NDArrayError) {
        guard codecName.isEmpty else { throw .compressed(codecName: codecName) }
    }
}
