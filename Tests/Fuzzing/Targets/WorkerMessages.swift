import NDArrays
import Statistics
import Wire
import WorkerProtocol

/// The body of a message, in both directions. Control byte: which type.
enum WorkerMessages: FuzzTarget {
    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        var input = FuzzInput(bytes)
        let type = MessageType.allCases[Int(input.byte()) % MessageType.allCases.count]
        let body = input.rest
        guard let written = try write(type, read: body) else { return }
        try written.withUnsafeBytes { bytes in
            let again = try write(type, read: bytes)
            try expect(again == written, "what was written is read and written alike", [type])
        }
        let isSame =
            switch type {
            // Fields of a newer version may follow those of a handshake.
            case .hello, .welcome: body.starts(with: written)
            // A histogram without buckets has no smallest and largest value, whatever it says.
            case .statistics: body.count == written.count
            default: body.elementsEqual(written)
            }
        try expect(isSame, "what was read is written as it came", [type])
        if case .process = type { try expectNoTraces(of: body) }
    }

    /// Reads a body and writes it again; nil when it is refused.
    private static func write(
        _ type: MessageType, read body: UnsafeRawBufferPointer
    ) throws -> [UInt8]? {
        var reader = ByteReader(body)
        var writer = ByteWriter()
        writer.beginMessage(type: type.rawValue, requestId: 1)
        do throws(WireError) {
            try copy(type, from: &reader, to: &writer)
        } catch {
            try expect(error.byteOffset <= UInt64(body.count), "an error is within the body")
            return nil
        }
        do throws(WireError) {
            try writer.endMessage()
        } catch {
            throw Finding("what was read can be written", [type, error])
        }
        return Array(writer.bytes.dropFirst(MessageHeader.byteCount))
    }

    private static func copy(
        _ type: MessageType, from reader: inout ByteReader, to writer: inout ByteWriter
    ) throws(WireError) {
        switch type {
        case .hello: try Hello(from: &reader).write(to: &writer)
        case .start: try StartCommand(from: &reader).write(to: &writer)
        case .configure: try ConfigureCommand(from: &reader).write(to: &writer)
        case .process: try ProcessCommand(from: &reader).write(to: &writer)
        case .welcome: try Welcome(from: &reader).write(to: &writer)
        case .description:
            ProcessorDescription.write(try ProcessorDescription.read(from: &reader), to: &writer)
        case .reply: try Reply(from: &reader).write(to: &writer)
        case .result: try FrameResult(from: &reader).write(to: &writer)
        case .statistics: try WorkerSnapshot(from: &reader).write(to: &writer)
        case .started: try Started(from: &reader).write(to: &writer)
        case .configured: try Configured(from: &reader).write(to: &writer)
        case .staging: try Staging(from: &reader).write(to: &writer)
        case .describe, .getStats, .resetStats, .stop, .ping: try reader.finish()
        }
    }

    /// A command that is read over another one has nothing of that.
    private static func expectNoTraces(of body: UnsafeRawBufferPointer) throws {
        var command = ProcessCommand(
            key: FrameKey(frameId: 7), configurationVersion: 7, attempt: 7,
            leasedSlots: [7, 7, 7],
            frame: FrameDescriptor(
                uniqueId: 7, payload: .bytes(typeName: "seven"),
                location: .inline(byteOffset: 7, byteCount: 7)))
        do throws(WireError) {
            var reader = ByteReader(body)
            try command.read(from: &reader)
        } catch {
            throw Finding("a command is read over another as on its own", [error])
        }
        var writer = ByteWriter()
        command.write(to: &writer)
        try expect(writer.bytes.elementsEqual(body), "a command keeps nothing of the one before")
    }
}
