internal import Glibc
internal import Logging
internal import Synchronization

/// Log lines on standard error, for the controller to collect: `level name message key=value …`.
///
/// A line is one write(2), so that lines of several threads do not mix; line breaks within are escaped.
struct LineLogHandler: LogHandler {
    /// The lowest level that is written, for all loggers of the process: the controller says it.
    static let threshold = Atomic<Int>(level: .info)

    let label: String
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    /// A lowest level of this logger alone; the threshold of the process holds beside it.
    private var own: Logger.Level?

    init(label: String) { self.label = label }

    var logLevel: Logger.Level {
        get {
            let all = Logger.Level.allCases[Self.threshold.load(ordering: .relaxed)]
            return own.map { max($0, all) } ?? all
        }
        set { own = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = "\(event.level) \(label) \(event.message)"
        var all = metadata
        if let metadataProvider { all.merge(metadataProvider.get()) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(value)" }
        Self.write(line)
    }

    /// Writes one line, whatever it holds, to standard error; where that fails there is nobody to tell.
    static func write(_ text: String) {
        var line: [UInt8] = []
        line.reserveCapacity(text.utf8.count + 1)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\n"): line += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            case UInt8(ascii: "\r"): line += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
            default: line.append(byte)
            }
        }
        line.append(UInt8(ascii: "\n"))
        var rest = line[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Makes this the handler of every logger of the process; once.
    static func install() {
        LoggingSystem.bootstrap { LineLogHandler(label: $0) }
    }

    /// Sets the lowest level by its name; an unknown one leaves it as it is.
    static func setThreshold(_ name: String) {
        guard let level = Logger.Level(rawValue: name) else { return }
        threshold.store(index(of: level), ordering: .relaxed)
    }

    fileprivate static func index(of level: Logger.Level) -> Int {
        Logger.Level.allCases.firstIndex(of: level) ?? 0
    }
}

extension Atomic<Int> {
    fileprivate init(level: Logger.Level) { self.init(LineLogHandler.index(of: level)) }
}
