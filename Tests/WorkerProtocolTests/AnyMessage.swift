import Glibc
import NDArrays
import Statistics
import Wire
import WorkerProtocol

/// Any message of the protocol, so that one test covers all of them.
enum AnyMessage: Equatable {
    case hello(Hello)
    case describe
    case start(StartCommand)
    case configure(ConfigureCommand)
    case process(ProcessCommand)
    case getStats
    case resetStats
    case stop
    case ping
    case welcome(Welcome)
    case description([ProcessorDescription])
    case reply(Reply)
    case result(FrameResult)
    case statistics(WorkerSnapshot)
    case started(Started)
    case configured(Configured)
    case staging(Staging)

    var type: MessageType {
        switch self {
        case .hello: .hello
        case .describe: .describe
        case .start: .start
        case .configure: .configure
        case .process: .process
        case .getStats: .getStats
        case .resetStats: .resetStats
        case .stop: .stop
        case .ping: .ping
        case .welcome: .welcome
        case .description: .description
        case .reply: .reply
        case .result: .result
        case .statistics: .statistics
        case .started: .started
        case .configured: .configured
        case .staging: .staging
        }
    }

    func write(to writer: inout ByteWriter) {
        switch self {
        case .hello(let value): value.write(to: &writer)
        case .start(let value): value.write(to: &writer)
        case .configure(let value): value.write(to: &writer)
        case .process(let value): value.write(to: &writer)
        case .welcome(let value): value.write(to: &writer)
        case .description(let value): ProcessorDescription.write(value, to: &writer)
        case .reply(let value): value.write(to: &writer)
        case .result(let value): value.write(to: &writer)
        case .statistics(let value): value.write(to: &writer)
        case .started(let value): value.write(to: &writer)
        case .configured(let value): value.write(to: &writer)
        case .staging(let value): value.write(to: &writer)
        case .describe, .getStats, .resetStats, .stop, .ping: break
        }
    }

    init(_ type: MessageType, from reader: inout ByteReader) throws(WireError) {
        switch type {
        case .hello: self = .hello(try Hello(from: &reader))
        case .start: self = .start(try StartCommand(from: &reader))
        case .configure: self = .configure(try ConfigureCommand(from: &reader))
        case .process: self = .process(try ProcessCommand(from: &reader))
        case .welcome: self = .welcome(try Welcome(from: &reader))
        case .description: self = .description(try ProcessorDescription.read(from: &reader))
        case .reply: self = .reply(try Reply(from: &reader))
        case .result: self = .result(try FrameResult(from: &reader))
        case .statistics: self = .statistics(try WorkerSnapshot(from: &reader))
        case .started: self = .started(try Started(from: &reader))
        case .configured: self = .configured(try Configured(from: &reader))
        case .staging: self = .staging(try Staging(from: &reader))
        case .describe: self = .describe
        case .getStats: self = .getStats
        case .resetStats: self = .resetStats
        case .stop: self = .stop
        case .ping: self = .ping
        }
    }

    /// The bytes of the whole message.
    func encoded(requestId: UInt64 = 1, payload: [UInt8] = []) throws(WireError) -> [UInt8] {
        var writer = ByteWriter()
        writer.beginMessage(type: type.rawValue, requestId: requestId)
        write(to: &writer)
        try writer.endMessage(payloadByteCount: payload.count)
        return Array(writer.bytes) + payload
    }

    /// The bytes of the body alone; throws what `endMessage` does.
    func body() throws(WireError) -> [UInt8] {
        Array(try encoded().dropFirst(MessageHeader.byteCount))
    }

    /// What a body means, without header and checksum.
    static func decode(_ type: MessageType, _ body: [UInt8]) -> Result<AnyMessage, WireError> {
        body.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            do throws(WireError) {
                return .success(try AnyMessage(type, from: &reader))
            } catch {
                return .failure(error)
            }
        }
    }
}
