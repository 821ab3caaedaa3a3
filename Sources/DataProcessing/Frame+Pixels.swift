extension Frame {
    /// Calls `body` with a typed view of the pixels, which cannot be kept.
    ///
    /// - Throws: `NDArrayError` when the payload is not an image, of another type or compressed,
    ///   and what `body` throws.
    public func withPixels<Element: ArrayElement, Result>(
        of type: Element.Type = Element.self, _ body: (NDArrayView<Element>) throws -> Result
    ) throws -> Result {
        let layout = try layout
        try layout.check(type)
        let span = Span<Element>(_unsafeElements: bytes.assumingMemoryBound(to: type))
        return try body(NDArrayView(span, geometry: layout.geometry))
    }

    /// Calls `body` with the bytes of an image or a bytes payload, which must not be kept; none for
    /// a structure.
    public func withUnsafeBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try body(bytes)
    }

    /// Calls `body` with a typed view of the pixels that it may write.
    ///
    /// The first change of a frame that came in copies it; when `body` throws, the pixels are what
    /// it left.
    ///
    /// - Throws: as `withPixels`, and where there is no memory for the copy.
    public func modifyPixels<Element: ArrayElement, Result>(
        of type: Element.Type = Element.self,
        _ body: (inout MutableNDArrayView<Element>) throws -> Result
    ) throws -> Result {
        let layout = try layout
        try layout.check(type)
        let span = MutableSpan<Element>(
            _unsafeElements: try writableBytes().assumingMemoryBound(to: type))
        var view = MutableNDArrayView(span, geometry: layout.geometry)
        return try body(&view)
    }

    /// Gives the frame new pixels of another layout or type, computed from the old ones: `body` has
    /// to write every element of the new image, which holds anything when it begins. There is no
    /// copy.
    ///
    /// - Throws: as `withPixels`, for the old or the new layout; then nothing has changed.
    public func replacePixels<Old: ArrayElement, New: ArrayElement, Result>(
        layout newLayout: ArrayLayout, from: Old.Type = Old.self, to: New.Type = New.self,
        _ body: (NDArrayView<Old>, inout MutableNDArrayView<New>) throws -> Result
    ) throws -> Result {
        let oldLayout = try layout
        try oldLayout.check(from)
        try newLayout.check(to)
        return try replaceBytes(content: .image(newLayout), byteCount: newLayout.byteCount) {
            old, new in
            let oldSpan = Span<Old>(_unsafeElements: old.assumingMemoryBound(to: from))
            let newSpan = MutableSpan<New>(_unsafeElements: new.assumingMemoryBound(to: to))
            let oldView = NDArrayView(oldSpan, geometry: oldLayout.geometry)
            var newView = MutableNDArrayView(newSpan, geometry: newLayout.geometry)
            return try body(oldView, &newView)
        }
    }

    /// The same with bytes: `body` has to write every byte of the new image.
    public func replacePixels<Result>(
        layout newLayout: ArrayLayout,
        _ body: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) throws -> Result
    ) throws -> Result {
        guard newLayout.codecName.isEmpty else {
            throw NDArrayError.compressed(codecName: newLayout.codecName)
        }
        return try replaceBytes(content: .image(newLayout), byteCount: newLayout.byteCount, body)
    }

    /// Gives the frame a payload of any kind, written by `body` from the bytes of the old one: it has to
    /// write every byte of the new one, which holds anything when it begins.
    ///
    /// - Throws: where there is no memory for it, and what `body` throws; then nothing has changed.
    package func replacePayload<Result>(
        _ content: FrameContent, byteCount: Int,
        _ body: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) throws -> Result
    ) throws -> Result {
        try replaceBytes(content: content, byteCount: byteCount, body)
    }

    /// Gives the frame the pixels and the layout of `image`; id, time stamp and attributes stay.
    ///
    /// - Throws: where there is no memory for them.
    public func setPixels(_ image: NDArray) throws {
        try overwriteBytes(content: .image(image.layout), byteCount: image.byteCount) { target in
            image.withUnsafeBytes { target.copyMemory(from: $0) }
        }
    }

    /// Makes the payload bytes of the type called `typeName`.
    ///
    /// - Throws: where there is no memory for them.
    public func setBytes(_ bytes: [UInt8], typeName: String) throws {
        try overwriteBytes(content: .bytes(typeName: typeName), byteCount: bytes.count) { target in
            target.copyBytes(from: bytes)
        }
    }

    /// Makes the payload a structure.
    public func setStructure(_ structure: Structure, typeName: String = "") {
        replaceStructure(structure, typeName: typeName)
    }

    /// The image with its id, time stamp and attributes, copied: this may be kept.
    ///
    /// - Throws: `NDArrayError.notAnImage` for other payloads.
    public func copiedImage() throws(NDArrayError) -> NDArray {
        let source = bytes
        var image = NDArray(
            layout: try layout, byteCount: byteCount, uniqueId: uniqueId, timeStamp: timeStamp,
            attributes: attributes)
        image.withUnsafeMutableBytes { $0.copyMemory(from: source) }
        return image
    }
}

// MARK: - Pixel by pixel

extension Frame {
    /// Gives every pixel the value that `transform` computes from its index in memory order and its
    /// old value: from the input straight into the output, or in place, and without a copy either
    /// way.
    ///
    /// - Throws: as `modifyPixels`.
    @inlinable
    public func mapPixels<Element: ArrayElement>(
        of type: Element.Type = Element.self,
        _ transform: (_ index: Int, _ pixel: Element) -> Element
    ) throws {
        let layout = try self.layout
        try rewriteBytes(layout, as: type) { old, new in
            let count = layout.elementCount
            let target = new.assumingMemoryBound(to: type)
            // Two loops: the compiler can use vectors where it knows that there is one array.
            if UnsafeRawPointer(new) == old {
                for index in 0..<count { target[index] = transform(index, target[index]) }
            } else {
                let source = old.assumingMemoryBound(to: type)
                for index in 0..<count { target[index] = transform(index, source[index]) }
            }
        }
    }

    /// Calls `body` with the old pixels and the place of the new ones, which is the same when it is
    /// ours.
    @usableFromInline
    func rewriteBytes<Element: ArrayElement>(
        _ layout: ArrayLayout, as type: Element.Type,
        _ body: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
    ) throws {
        try layout.check(type)
        checkOpen()
        if let region, region.isWritable {
            return body(UnsafeRawPointer(region.base), region.base)
        }
        try replaceBytes(content: content, byteCount: byteCount) { old, new in
            guard let source = old.baseAddress, let target = new.baseAddress else { return }
            body(source, target)
        }
    }
}
