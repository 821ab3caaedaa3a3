internal import DataProcessing
internal import NDArrays
internal import Wire
internal import WorkerProtocol

/// What is known of a frame beside the bytes of its payload: everything that its receiver gets back.
struct PlainFrame: Equatable {
    var uniqueId: UInt64
    var timeStamp: TimeStamp
    var attributes: NDAttributes
    var content: FrameContent
    var byteCount: Int

    init(_ frame: Frame) {
        uniqueId = frame.uniqueId
        timeStamp = frame.timeStamp
        attributes = frame.attributes
        content = frame.content
        byteCount = frame.byteCount
    }

    init(
        uniqueId: UInt64, timeStamp: TimeStamp, attributes: NDAttributes, content: FrameContent,
        byteCount: Int
    ) {
        self.uniqueId = uniqueId
        self.timeStamp = timeStamp
        self.attributes = attributes
        self.content = content
        self.byteCount = byteCount
    }

    /// The description: a frame descriptor as Docs/WireProtocol.md has it, version 2, with the place
    /// "slot 0 of pool 0" and no source name.
    func encoded() throws(EncryptionError) -> [UInt8] {
        let payload: PayloadDescriptor =
            switch content {
            case .image(let layout): .image(layout)
            case .bytes(let typeName): .bytes(typeName: typeName)
            case .structure(let structure, let typeName):
                .structure(structure, typeName: typeName)
            }
        let descriptor = FrameDescriptor(
            uniqueId: uniqueId, timeStamp: timeStamp, payload: payload,
            location: .slot(pool: 0, slot: 0, byteCount: UInt64(byteCount)),
            attributes: attributes)
        // As the body of a message, so that what no reader would take is refused here.
        var writer = ByteWriter()
        writer.beginMessage(type: 0, requestId: 0)
        descriptor.write(to: &writer)
        do throws(WireError) {
            try writer.endMessage()
        } catch {
            throw .tooLarge(
                what: "the description of the frame (\(error))",
                limit: SealedHeader.maximumDescriptionByteCount)
        }
        return Array(writer.bytes.dropFirst(MessageHeader.byteCount))
    }

    /// Reads a description; any bytes may be given.
    init(_ bytes: [UInt8], payloadByteCount: Int) throws(EncryptionError) {
        let descriptor: FrameDescriptor
        do {
            descriptor = try bytes.withUnsafeBytes { buffer in
                var reader = ByteReader(buffer)
                let descriptor = try FrameDescriptor(from: &reader)
                try reader.finish()
                return descriptor
            }
        } catch {
            throw .badDescription("\(error)")
        }
        guard case .slot(0, 0, UInt64(payloadByteCount)) = descriptor.location else {
            throw .badDescription("it is of a frame with another number of bytes")
        }
        switch descriptor.payload {
        case .image(let layout?): content = .image(layout)
        case .image(nil): throw .badDescription("it is of an image without a layout")
        case .bytes(let typeName): content = .bytes(typeName: typeName)
        case .structure(let structure, let typeName):
            guard payloadByteCount == 0 else {
                throw .badDescription("it is of a structure with bytes")
            }
            content = .structure(structure, typeName: typeName)
        }
        uniqueId = descriptor.uniqueId
        timeStamp = descriptor.timeStamp
        attributes = descriptor.attributes
        byteCount = payloadByteCount
    }
}
