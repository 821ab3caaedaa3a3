internal import CLinux
internal import Glibc
internal import Journal
public import Logging
internal import Synchronization

/// Writes each event as a line of JSON into a log: `name`, `timestamp`, `seq` where there is one, `data`,
/// `context`. The time is in ISO 8601, in UTC, as `2012-05-01T07:27:01.000200+00:00`; a whole second has no
/// fraction.
public final class LoggerBackend: EventBackend {
    /// An event has a longer text than the log takes.
    public struct TooLong: EventRefusal, Equatable {
        /// Characters (Unicode scalars) of the text.
        public let length: Int
        /// The most there may be.
        public let limit: Int

        /// Declines a text of that length.
        public init(length: Int, limit: Int) {
            self.length = length
            self.limit = limit
        }
    }

    private let logger: Logger
    private let level: Logger.Level
    private let maximumLength: Int?
    private let tooLong = Atomic<UInt64>(0)

    /// Writes into `logger` at `level`. An event whose text has more than `maximumLength` characters is not
    /// written but declined with `TooLong`, and counted; nil: any length.
    public init(
        logger: Logger, level: Logger.Level = .info, maximumLength: Int? = 1024
    ) {
        self.logger = logger
        self.level = level
        self.maximumLength = maximumLength
    }

    /// Writes into a logger of that name.
    public convenience init(
        name: String, level: Logger.Level = .info, maximumLength: Int? = 1024
    ) {
        self.init(logger: Logger(label: name), level: level, maximumLength: maximumLength)
    }

    /// Events that were not written because they are too long.
    public var tooLongCount: UInt64 { tooLong.load(ordering: .relaxed) }

    public func send(_ event: TelemetryEvent) throws {
        let text = try event.value(timestamp: .string(isoTime(event.timestamp))).json()
        if let limit = maximumLength, text.utf8.count > limit {
            let length = text.unicodeScalars.count
            if length > limit {
                tooLong.wrappingAdd(1, ordering: .relaxed)
                throw TooLong(length: length, limit: limit)
            }
        }
        logger.log(level: level, "\(text)")
    }
}

/// A time in ISO 8601, in UTC, with microseconds where there are any; throws for one that is no number or in
/// no year of four digits.
func isoTime(_ seconds: Double) throws(RoutingError) -> String {
    // 0001-01-01 and 10000-01-01, in seconds since 1970.
    guard seconds >= -62_135_596_800, seconds < 253_402_300_799.5 else {
        throw .invalidTime(seconds)
    }
    var whole = seconds.rounded(.down)
    var microseconds = Int(((seconds - whole) * 1e6).rounded())
    if microseconds == 1_000_000 { (whole, microseconds) = (whole + 1, 0) }
    var time = time_t(whole)
    var parts = tm()
    gmtime_r(&time, &parts)
    func digits(_ number: Int32, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
    let fraction = microseconds == 0 ? "" : "." + digits(Int32(microseconds), 6)
    return digits(parts.tm_year + 1900, 4) + "-" + digits(parts.tm_mon + 1, 2) + "-"
        + digits(parts.tm_mday, 2) + "T" + digits(parts.tm_hour, 2) + ":" + digits(parts.tm_min, 2)
        + ":" + digits(parts.tm_sec, 2) + fraction + "+00:00"
}
