internal import CLinux
internal import Glibc
internal import Journal
internal import Synchronization

/// The file of records that can never succeed, each with the reason: one JSON object a line.
public final class DeadLetters: Sendable {
    /// Its name in the directory of a spool.
    public static let fileName = "dead-letters.jsonl"

    /// The path of the file.
    public let path: String
    /// The size above which no more are written; they are counted then.
    public let maximumBytes: Int
    private let file: Mutex<SystemSpoolFile?>

    /// Letters at a path; the file is made with the first one. 64 MiB are room for what people look
    /// through.
    public init(path: String, maximumBytes: Int = 64 << 20) {
        self.path = path
        self.maximumBytes = maximumBytes
        file = Mutex(nil)
    }

    /// Letters beside a spool; nil where there is no directory.
    convenience init?(inDirectory directory: String?) {
        guard let directory else { return nil }
        self.init(path: "\(directory)/\(Self.fileName)")
    }

    /// Writes one; throws where the system refuses. False where the file is full.
    func write(
        _ record: ExportRecord, exporter: String, reason: String, wallNanoseconds: Int64
    ) throws(SpoolError) -> Bool {
        let line = Self.line(record, exporter, reason, wallNanoseconds)
        return try file.withLock { (file) throws(SpoolError) -> Bool in
            let open: SystemSpoolFile
            if let there = file {
                open = there
            } else {
                open = try SystemSpoolFile(path: path, flags: O_WRONLY | O_APPEND | O_CREAT)
                file = open
            }
            let size = try open.byteCount()
            guard size + line.count <= maximumBytes else { return false }
            do throws(SpoolError) {
                try open.append(line)
            } catch {
                try open.cut(to: size)
                throw error
            }
            return true
        }
    }

    private static func line(
        _ record: ExportRecord, _ exporter: String, _ reason: String, _ now: Int64
    ) -> [UInt8] {
        var fields: [JournalField] = [
            JournalField("timestampNanoseconds", .int(now)),
            JournalField("exporter", .string(exporter)), JournalField("reason", .string(reason)),
            JournalField("source", .string(record.source)), JournalField("seq", .uint(record.seq)),
            JournalField("recordTimestampNanoseconds", .int(record.timestampNanoseconds)),
        ]
        switch record.data {
        case .value(let value): fields.append(JournalField("data", value))
        case .bytes(let bytes):
            if let text = String(validating: bytes, as: UTF8.self) {
                fields.append(JournalField("text", .string(text)))
            } else {
                fields.append(JournalField("hexadecimal", .string(hexadecimal(bytes))))
            }
        }
        if !record.options.isEmpty {
            fields.append(JournalField("options", .object(record.options)))
        }
        let line = JournalValue.object(fields)
        do {
            return Array(try line.json().utf8) + [0x0A]
        } catch {
            // Nested too deep for JSON: the reason and the identity are kept.
            let short = JournalValue.object(Array(fields.prefix(6)))
            return Array(((try? short.json()) ?? "{}").utf8) + [0x0A]
        }
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}
