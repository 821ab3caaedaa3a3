internal import Wire
internal import WorkerProtocol

/// A command with its contents, but for `process`, whose contents have a place of their own.
enum Command: Sendable {
    case hello(Hello)
    case describe
    case start(StartCommand)
    case configure(ConfigureCommand)
    case getStats
    case resetStats
    case stop
    case ping
    /// A type that no command has.
    case unknown(UInt16)

    /// Reads the body of any command but `process`, which is `unknown` here.
    init(_ message: WireMessage) throws(WireError) {
        var reader = message.reader
        switch MessageType(rawValue: message.header.messageType) {
        case .hello: self = .hello(try Hello(from: &reader))
        case .start: self = .start(try StartCommand(from: &reader))
        case .configure: self = .configure(try ConfigureCommand(from: &reader))
        case .describe: self = .describe
        case .getStats: self = .getStats
        case .resetStats: self = .resetStats
        case .stop: self = .stop
        case .ping: self = .ping
        case .process, .welcome, .description, .reply, .result, .statistics, .started,
            .configured, .staging, nil:
            self = .unknown(message.header.messageType)
            return
        }
        try reader.finish()
    }

    /// The answer to a message that is no command of this version.
    var refusalAsUnknown: CommandFailure {
        guard case .unknown(let code) = self else {
            return CommandFailure(.unsupported, "the worker can't do this")
        }
        return CommandFailure(.unsupported, "message type \(code) is no command of this version")
    }

    /// The type of its message, nil for an unknown one.
    var type: MessageType? {
        switch self {
        case .hello: .hello
        case .describe: .describe
        case .start: .start
        case .configure: .configure
        case .getStats: .getStats
        case .resetStats: .resetStats
        case .stop: .stop
        case .ping: .ping
        case .unknown: nil
        }
    }
}

/// What the control thread has read for the main thread.
enum QueuedMessage: Sendable {
    case command(requestId: UInt64, Command)
    case frame(requestId: UInt64, ProcessCommand, InlinePixels?, payloadByteCount: Int)
}

/// Messages in the order they came.
struct MessageQueue: Sendable {
    /// The most messages and bytes of pixels that wait here. The controller never hands out more frames
    /// than it was granted, some tens; where one does, nothing more is read until the queue is empty, and
    /// the pipe holds it back.
    static let maximumCount = 1024
    static let maximumPayloadByteCount = 256 << 20

    private var messages: [QueuedMessage] = []
    private var first = 0
    private var payloadByteCount = 0
    /// Frames among them.
    private(set) var frameCount = 0

    /// Whether nothing waits.
    var isEmpty: Bool { first == messages.count }

    /// Whether another message has room.
    var hasRoom: Bool {
        messages.count < Self.maximumCount && payloadByteCount < Self.maximumPayloadByteCount
    }

    /// Puts a message behind the others.
    mutating func append(_ message: QueuedMessage) {
        messages.append(message)
        guard case .frame(_, _, _, let byteCount) = message else { return }
        frameCount += 1
        payloadByteCount += byteCount
    }

    /// The oldest message, nil when there is none.
    mutating func popFirst() -> QueuedMessage? {
        guard first < messages.count else { return nil }
        let message = messages[first]
        first += 1
        if case .frame = message { frameCount -= 1 }
        if first == messages.count {
            messages.removeAll(keepingCapacity: true)
            (first, payloadByteCount) = (0, 0)
        }
        return message
    }
}
