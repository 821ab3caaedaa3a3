internal import DataProcessing
internal import FrameReaders
internal import NDArrays
internal import WorkerProtocol

extension ServeLoop {
    /// Reads the frame from its file: into a leased slot where outputs are wanted and it fits, so that an
    /// unchanged frame need not be copied to go on, else into memory of this process.
    mutating func readReference(
        _ descriptor: FrameDescriptor, format: String, path: String, index: UInt64
    ) throws(FrameRefusal) {
        guard let fileFormat = FileFormat(rawValue: format) else {
            throw FrameRefusal(reason: "\(path): this worker reads no \(format) files")
        }
        guard case .image = descriptor.payload else {
            throw FrameRefusal(reason: "\(path): a file holds images only")
        }
        let reference = FrameReference(
            format: fileFormat, path: path, index: Int(clamping: index))
        var region: FrameRegion?
        do {
            let header = try reader.read(reference) { layout in
                let taken = try takeRegion(byteCount: layout.byteCount)
                region = taken
                return UnsafeMutableRawBufferPointer(start: taken.base, count: layout.byteCount)
            }
            frame.reset(
                key: order.key, uniqueId: header.uniqueId ?? descriptor.uniqueId,
                timeStamp: header.timeStamp == TimeStamp()
                    ? descriptor.timeStamp : header.timeStamp,
                attributes: header.attributes.merging(descriptor.attributes),
                sourceName: descriptor.sourceName.isEmpty ? path : descriptor.sourceName,
                content: .image(header.layout), region: region,
                byteCount: header.layout.byteCount, memory: memory)
        } catch {
            if let region { memory.release(region) }
            throw FrameRefusal(reason: "\(error)")
        }
    }

    private mutating func takeRegion(byteCount: Int) throws -> FrameRegion {
        if greeting.wantsOutputs { return try memory.take(byteCount: byteCount) }
        return try memory.takePrivate(byteCount: byteCount)
    }
}

extension NDAttributes {
    /// These attributes, and those of `others`, which win.
    fileprivate func merging(_ others: NDAttributes) -> NDAttributes {
        if others.isEmpty { return self }
        var all = self
        for attribute in others { all.set(attribute) }
        return all
    }
}
