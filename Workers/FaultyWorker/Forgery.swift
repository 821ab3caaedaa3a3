import Wire
import WorkerProtocol

/// A valid message that a worker must not send as it stands.
enum Forgery: String, CaseIterable {
    /// A second answer to the greeting.
    case welcome
    /// A result for a frame that it does not have.
    case result
    /// The beginning of a frame that it does not have.
    case started
    /// The use of a configuration that it was never sent.
    case configured
    /// Files in a folder without a whole path.
    case staging
    /// An answer to what was never asked.
    case reply
    /// What it offers, unasked.
    case description
    /// A command, which only the controller sends.
    case command

    /// A request id that no controller gives: of a frame far beyond any table.
    private static let foreignRequestId: UInt64 = 0x1234_0000_0001

    /// The bytes of the message.
    var bytes: [UInt8] {
        var writer = ByteWriter()
        switch self {
        case .welcome:
            writer.beginMessage(type: MessageType.welcome.rawValue, requestId: 0)
            Welcome(
                version: ProtocolVersion.current, capabilities: [], processId: 1, software: "forger"
            )
            .write(to: &writer)
        case .result:
            writer.beginMessage(
                type: MessageType.result.rawValue, requestId: Self.foreignRequestId)
            FrameResult(outcome: .processed, uniqueId: 1).write(to: &writer)
        case .started:
            writer.beginMessage(type: MessageType.started.rawValue, requestId: 0)
            Started(requestId: Self.foreignRequestId).write(to: &writer)
        case .configured:
            writer.beginMessage(type: MessageType.configured.rawValue, requestId: 0)
            Configured(version: 1 << 40, failure: nil).write(to: &writer)
        case .staging:
            writer.beginMessage(type: MessageType.staging.rawValue, requestId: 0)
            Staging(folder: "out").write(to: &writer)
        case .reply:
            writer.beginMessage(type: MessageType.reply.rawValue, requestId: Self.foreignRequestId)
            Reply.success.write(to: &writer)
        case .description:
            writer.beginMessage(
                type: MessageType.description.rawValue, requestId: Self.foreignRequestId)
            writer.writeCount(0)
        case .command: writer.beginMessage(type: MessageType.ping.rawValue, requestId: 1)
        }
        do throws(WireError) {
            try writer.endMessage()
        } catch {
            preconditionFailure("a forged message is over a limit: \(error)")
        }
        return Array(writer.bytes)
    }
}
