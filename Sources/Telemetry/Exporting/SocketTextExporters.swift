internal import Glibc
internal import Journal
internal import Synchronization

/// Sends records as text over TCP: a line each, bytes as they are, as Graphite's plaintext port takes them.
///
/// Best effort: a record counts as delivered when the system has taken it, because the receiver answers
/// nothing. What was on its way when the receiver died is lost. The connection is kept, and made anew by the
/// first delivery after it broke.
public final class TCPTextExporter: Exporter {
    /// The name.
    public let name: String
    private let host: String
    private let port: UInt16
    private let interruption: Interruption
    private let resolver: HostResolver
    private let connection = Mutex<ConnectedSocket?>(nil)

    /// An exporter to a port of a host, by name or number; `tcp:HOST:PORT` unless another name is given. It
    /// connects with the first delivery.
    public init(host: String, port: UInt16, name: String? = nil) throws(ExportError) {
        try checkAddress(host, port)
        self.host = host
        self.port = port
        self.name = name ?? "tcp:\(host):\(port)"
        interruption = Interruption()
        resolver = HostResolver(
            host: host, port: port, kind: Int32(SOCK_STREAM.rawValue), interruption)
    }

    /// Many lines make one packet.
    public var maximumBatchCount: Int { 500 }

    /// Sends lines.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        let deadline = SystemExportClock().now + limit
        interruption.clear()
        let socket: ConnectedSocket
        do throws(HostResolver.Failure) {
            socket = try connected(until: deadline)
        } catch {
            let reason = "\(host) port \(port): \(error.reason)"
            return records.map { _ in .retryable(reason: reason, after: nil) }
        }
        return send(records, socket, deadline)
    }

    private func connected(until deadline: Duration) throws(HostResolver.Failure) -> ConnectedSocket
    {
        if let there = connection.withLock({ $0 }), !there.isClosedByPeer { return there }
        connection.withLock { $0 = nil }
        let made = try ConnectedSocket.connected(
            try resolver.addresses(until: deadline), kind: Int32(SOCK_STREAM.rawValue),
            interruption, until: deadline)
        connection.withLock { $0 = made }
        return made
    }

    private func send(
        _ records: [ExportRecord], _ socket: ConnectedSocket, _ deadline: Duration
    ) -> [ExportOutcome] {
        let lines = ExportLines(records)
        let (count, problem) = socket.send(
            lines.lines.flatMap(\.self), interruption, until: deadline)
        if problem != nil { connection.withLock { $0 = nil } }
        var outcomes: [ExportOutcome] = []
        var end = 0
        for line in lines.lines {
            end += line.count
            outcomes.append(
                end <= count
                    ? .delivered(.null)
                    : .retryable(reason: "\(host) port \(port): \(problem ?? "")", after: nil))
        }
        guard outcomes.count < records.count else { return outcomes }
        if let flaw = lines.flaw, problem == nil {
            outcomes.append(.permanent(reason: flaw))
        }
        while outcomes.count < records.count {
            outcomes.append(.retryable(reason: "an earlier record failed", after: nil))
        }
        return outcomes
    }

    /// Ends a wait for the network.
    public func interrupt() { interruption.raise() }

    /// Ends the connection.
    public func close() { connection.withLock { $0 = nil } }
}

/// Sends records as text in datagrams, one for each: a line, or bytes as they are, as Graphite's and StatsD's
/// UDP ports take them.
///
/// Best effort: a record counts as delivered when the system has taken it. Where nobody listens on a host that
/// answers, the delivery after it fails and is tried again.
public final class UDPTextExporter: Exporter {
    /// The most bytes of a datagram over IPv4 (RFC 768 and 791).
    public static let maximumDatagramBytes = 65_507

    /// The name.
    public let name: String
    private let host: String
    private let port: UInt16
    private let interruption: Interruption
    private let resolver: HostResolver
    private let socket = Mutex<ConnectedSocket?>(nil)

    /// An exporter to a port of a host, by name or number; `udp:HOST:PORT` unless another name is given.
    public init(host: String, port: UInt16, name: String? = nil) throws(ExportError) {
        try checkAddress(host, port)
        self.host = host
        self.port = port
        self.name = name ?? "udp:\(host):\(port)"
        interruption = Interruption()
        resolver = HostResolver(
            host: host, port: port, kind: Int32(SOCK_DGRAM.rawValue), interruption)
    }

    /// Many for one look at the clock.
    public var maximumBatchCount: Int { 64 }

    /// Sends a datagram for each record.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        let deadline = SystemExportClock().now + limit
        interruption.clear()
        return deliverInOrder(records) { deliver($0, deadline) }
    }

    private func deliver(_ record: ExportRecord, _ deadline: Duration) -> ExportOutcome {
        let bytes: [UInt8]
        do throws(JournalError) { bytes = try record.data.line() } catch {
            return .permanent(reason: "\(error)")
        }
        guard bytes.count <= Self.maximumDatagramBytes else {
            return .permanent(
                reason: "\(bytes.count) bytes, a datagram has \(Self.maximumDatagramBytes)")
        }
        do throws(HostResolver.Failure) {
            let open = try opened(until: deadline)
            guard let problem = open.send(bytes, interruption, until: deadline).problem else {
                return .delivered(.null)
            }
            return .retryable(reason: "\(host) port \(port): \(problem)", after: nil)
        } catch {
            return .retryable(reason: "\(host) port \(port): \(error.reason)", after: nil)
        }
    }

    private func opened(until deadline: Duration) throws(HostResolver.Failure) -> ConnectedSocket {
        if let there = socket.withLock({ $0 }) { return there }
        let made = try ConnectedSocket.connected(
            try resolver.addresses(until: deadline), kind: Int32(SOCK_DGRAM.rawValue),
            interruption, until: deadline)
        socket.withLock { $0 = made }
        return made
    }

    /// Ends a wait for the network.
    public func interrupt() { interruption.raise() }

    /// Closes the socket.
    public func close() { socket.withLock { $0 = nil } }
}

private func checkAddress(_ host: String, _ port: UInt16) throws(ExportError) {
    guard !host.isEmpty, port > 0 else {
        throw .invalidConfiguration("a text exporter needs a host and a port from 1 to 65535")
    }
}
