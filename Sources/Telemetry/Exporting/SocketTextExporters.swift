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
    private let place: TextPlace

    /// An exporter to a port of a host, by name or number; `tcp:HOST:PORT` unless another name is given. It
    /// connects with the first delivery.
    public init(host: String, port: UInt16, name: String? = nil) throws(ExportError) {
        self.name = name ?? "tcp:\(host):\(port)"
        place = try TextPlace(host: host, port: port, SOCK_STREAM)
    }

    /// Many lines make one packet.
    public var maximumBatchCount: Int { 500 }

    /// Every wait for the network has the limit.
    public var keepsTimeLimit: Bool { true }

    /// Sends lines.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        let deadline = place.begin(limit)
        let lines = ExportLines(records)
        // Without a connection nothing is tried; what can't be written is refused when there is one.
        if place.isClosedByPeer { place.close() }
        let (count, problem) = place.send(lines.lines.flatMap(\.self), until: deadline)
        if problem != nil { place.close() }
        var outcomes: [ExportOutcome] = []
        var end = 0
        for line in lines.lines {
            end += line.count
            outcomes.append(
                end <= count
                    ? .delivered(.null)
                    : .retryable(reason: problem ?? "", after: nil))
        }
        guard outcomes.count < records.count else { return outcomes }
        if let flaw = lines.flaw, problem == nil {
            outcomes.append(.permanent(reason: flaw))
        }
        while outcomes.count < records.count {
            outcomes.append(
                .retryable(reason: problem ?? "an earlier record failed", after: nil))
        }
        return outcomes
    }

    /// Ends a wait for the network.
    public func interrupt() { place.interrupt() }

    /// Ends the connection.
    public func close() { place.close() }
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
    private let place: TextPlace

    /// An exporter to a port of a host, by name or number; `udp:HOST:PORT` unless another name is given.
    public init(host: String, port: UInt16, name: String? = nil) throws(ExportError) {
        self.name = name ?? "udp:\(host):\(port)"
        place = try TextPlace(host: host, port: port, SOCK_DGRAM)
    }

    /// Many for one look at the clock.
    public var maximumBatchCount: Int { 64 }

    /// Every wait for the network has the limit.
    public var keepsTimeLimit: Bool { true }

    /// Sends a datagram for each record.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        let deadline = place.begin(limit)
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
        let problem = place.send(bytes, until: deadline).problem
        return problem.map { .retryable(reason: $0, after: nil) } ?? .delivered(.null)
    }

    /// Ends a wait for the network.
    public func interrupt() { place.interrupt() }

    /// Closes the socket.
    public func close() { place.close() }
}

/// Where text goes: a port of a host, with the socket that is connected to it from the first time it is needed.
private final class TextPlace: Sendable {
    private let text: String
    private let kind: Int32
    private let interruption = Interruption()
    private let resolver: HostResolver
    private let socket = Mutex<ConnectedSocket?>(nil)

    init(host: String, port: UInt16, _ kind: __socket_type) throws(ExportError) {
        guard !host.isEmpty, port > 0 else {
            throw .invalidConfiguration("a text exporter needs a host and a port from 1 to 65535")
        }
        text = "\(host) port \(port)"
        self.kind = Int32(kind.rawValue)
        resolver = HostResolver(host: host, port: port, kind: self.kind, interruption)
    }

    /// Begins a delivery, which ends at the time that is returned.
    func begin(_ limit: Duration) -> Duration {
        interruption.clear()
        return SystemExportClock().now + limit
    }

    /// Whether the other side has ended the connection.
    var isClosedByPeer: Bool { socket.withLock { $0 }?.isClosedByPeer == true }

    /// Sends bytes, connecting where that has to be; how many the system took, and why not all.
    func send(_ bytes: [UInt8], until deadline: Duration) -> (count: Int, problem: String?) {
        do throws(HostResolver.Failure) {
            let (count, problem) = try connected(until: deadline)
                .send(bytes, interruption, until: deadline)
            return (count, problem.map { "\(text): \($0)" })
        } catch {
            return (-1, "\(text): \(error.reason)")
        }
    }

    private func connected(until deadline: Duration) throws(HostResolver.Failure) -> ConnectedSocket
    {
        if let there = socket.withLock({ $0 }) { return there }
        let made = try ConnectedSocket.connected(
            try resolver.addresses(until: deadline), kind: kind, interruption, until: deadline)
        socket.withLock { $0 = made }
        return made
    }

    func interrupt() { interruption.raise() }

    func close() { socket.withLock { $0 = nil } }
}
