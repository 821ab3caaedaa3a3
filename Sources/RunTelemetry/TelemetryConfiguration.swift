public import Journal

/// Where the statistics and events of a run go.
public struct TelemetryConfiguration: Sendable, Equatable {
    /// Shortest period: a hundred times a second is more than anybody looks at.
    public static let minimumPeriod: Duration = .milliseconds(10)
    /// Most exporters: each has a thread.
    public static let maximumExporterCount = 32

    /// Time between two sets of statistics.
    public var period: Duration
    /// What happens to statistics and events on their way: the tree that `RouterConfiguration` reads; an empty
    /// object leaves them as they are.
    public var route: JournalValue
    /// The destinations.
    public var exporters: [ExporterConfiguration]
    /// Where Prometheus finds the page of the run; nil: nowhere.
    public var prometheus: PageAddress?

    /// Nothing is exported unless it is said.
    public init(
        period: Duration = .seconds(1), route: JournalValue = .object([]),
        exporters: [ExporterConfiguration] = [], prometheus: PageAddress? = nil
    ) {
        self.period = period
        self.route = route
        self.exporters = exporters
        self.prometheus = prometheus
    }
}

/// An address to listen at.
public struct PageAddress: Sendable, Hashable, CustomStringConvertible {
    /// A numeric address, such as `127.0.0.1` or `::1`.
    public var host: String
    /// The port; 0 lets the system choose.
    public var port: UInt16

    /// An address.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// `127.0.0.1:9400`, `[::1]:9400`, or `:9400`, which is 127.0.0.1; nil for anything else.
    public init?(text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.contains("["), !host.contains("]") else { return nil }
        self.init(host: host.isEmpty ? "127.0.0.1" : host, port: port)
    }

    /// The address as `init(text:)` reads it.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// One destination of statistics and events.
public struct ExporterConfiguration: Sendable, Equatable {
    /// Name in messages and statistics, unique among the exporters of a run.
    public var name: String
    /// Where to.
    public var destination: ExportDestination
    /// Where records wait that it has not taken; nil: in memory.
    public var spool: SpoolPlace?
    /// Most bytes that wait in memory where there is no spool.
    public var maximumMemoryBytes: Int
    /// Whether it gets statistics.
    public var takesStatistics: Bool
    /// Whether it gets events.
    public var takesEvents: Bool

    /// Most bytes that wait in memory unless somebody says otherwise: an hour of a large run, one set a second.
    public static let standardMemoryBytes = 16 << 20

    /// A destination that gets statistics and events, as far as it can hold them.
    public init(
        name: String, destination: ExportDestination, spool: SpoolPlace? = nil,
        maximumMemoryBytes: Int = ExporterConfiguration.standardMemoryBytes,
        takesStatistics: Bool = true, takesEvents: Bool? = nil
    ) {
        self.name = name
        self.destination = destination
        self.spool = spool
        self.maximumMemoryBytes = maximumMemoryBytes
        self.takesStatistics = takesStatistics
        self.takesEvents = takesEvents ?? destination.holdsEvents
    }
}

/// A folder where records wait on disk.
public struct SpoolPlace: Sendable, Hashable {
    /// The folder, of one exporter alone; made where it is missing.
    public var directory: String
    /// The most bytes it may take.
    public var maximumBytes: Int
    /// What goes when it is full.
    public var whenFull: WhenFull

    /// What is done with a record for which there is no room.
    public enum WhenFull: String, Sendable, Hashable, CaseIterable {
        /// The oldest record makes room.
        case dropOldest = "drop-oldest"
        /// The new record is not kept.
        case dropNewest = "drop-newest"
    }

    /// Most bytes of a spool unless somebody says otherwise.
    public static let standardMaximumBytes = 256 << 20

    /// A folder.
    public init(
        directory: String, maximumBytes: Int = SpoolPlace.standardMaximumBytes,
        whenFull: WhenFull = .dropOldest
    ) {
        self.directory = directory
        self.maximumBytes = maximumBytes
        self.whenFull = whenFull
    }
}
