internal import ArgumentParser
internal import ControllerRuntime
internal import Foundation
internal import RunTelemetry

/// `sluice export`: statistics of a run once more to a destination.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Send the stored statistics of a run to a destination, all or those of a time.",
        discussion: """
            For a destination that was not there, or not named, while the run went on. Each set is \
            sent in order and waited for; the first that is refused ends the command.

            Destinations: graphite:HOST:PORT, influx:URL, postgresql:URL, sqlite:FILE, \
            elasticsearch:URL, webhook:URL, file:FILE, tcp:HOST:PORT, udp:HOST:PORT.

            A password on a command line is seen by everybody on the machine: for PostgreSQL leave it \
            to PGPASSWORD or a password file.

            Example:
              sluice export runs/today --to graphite:127.0.0.1:2003 --from 2026-11-21T08:00:00Z
            """)

    @OptionGroup var argument: RunArgument

    @Option(help: ArgumentHelp("Where to, as graphite:127.0.0.1:2003.", valueName: "kind:place"))
    var to: String

    @Option(
        help: ArgumentHelp(
            "From this time on: ISO 8601, or seconds since 1970.", valueName: "time"))
    var from: String?

    @Option(help: ArgumentHelp("Up to this time.", valueName: "time"))
    var until: String?

    func run() throws {
        let destination = try DestinationText.destination(to)
        let first = try from.map { try MomentText.seconds($0, option: "--from") } ?? -.infinity
        let last = try until.map { try MomentText.seconds($0, option: "--until") } ?? .infinity
        guard first <= last else { throw CommandError("--from is later than --until") }
        let path = RunDirectory.path(of: .statistics, in: argument.run)
        let lines = try StoredLines(path: path)
        var export: StatisticsExport?
        var count = 0
        while let line = try lines.next() {
            let record = try Self.record(line, path: path)
            guard (first...last).contains(record.timestamp) else { continue }
            do {
                if export == nil {
                    export = try StatisticsExport(
                        of: RunQuestion.runId(of: argument.run), to: destination)
                }
                try export?.send(record)
            } catch {
                throw CommandError(
                    "\(count) sets of statistics were sent, the next was not: \(error)")
            }
            count += 1
        }
        guard count > 0 else {
            throw CommandError(
                "there are no statistics in \(path)\(from == nil && until == nil ? "" : " of that time")"
            )
        }
        Output.line("\(count) sets of statistics were sent to \(DestinationText.shown(to))")
    }

    private static func record(
        _ line: String, path: String
    ) throws(CommandError) -> RunStatisticsRecord {
        do {
            return try JSON.decode(RunStatisticsRecord.self, from: Array(line.utf8))
        } catch {
            throw CommandError("a line of \(path) is no statistics of this version of Sluice")
        }
    }
}

/// The lines of a file, one after the other; a last one without a line feed was not written to its end.
private final class StoredLines {
    private let handle: FileHandle
    private var buffer = Data()

    init(path: String) throws(CommandError) {
        do {
            handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        } catch {
            throw CommandError("can't read \(path): \(SystemReason.of(error))")
        }
    }

    func next() throws -> String? {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffer = buffer[(end + 1)...] }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            guard let more = try handle.read(upToCount: 1 << 16), !more.isEmpty else { return nil }
            buffer = Data(buffer) + more
        }
    }
}

/// A destination as it stands on the command line.
enum DestinationText {
    static let kinds = [
        "graphite", "influx", "postgresql", "sqlite", "elasticsearch", "webhook", "file", "tcp",
        "udp",
    ]

    /// What was given as it may be shown, without passwords.
    static func shown(_ text: String) -> String { ExportDestination.withoutSecrets(text) }

    /// The destination of `graphite:127.0.0.1:2003` and the like.
    static func destination(_ text: String) throws(CommandError) -> ExportDestination {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard let kind = parts.first, kinds.contains(kind), parts.count == 2, !parts[1].isEmpty
        else {
            throw CommandError(
                "--to is `\(shown(text))`: it must be a kind and a place, as graphite:127.0.0.1:2003"
                    + nearestNameHint(for: parts.first ?? "", in: kinds))
        }
        let place = parts[1]
        switch kind {
        case "graphite":
            let (host, port) = try address(place, standard: 2003, text)
            return .graphite(
                host: host, port: port, transport: .tcp, prefix: "sluice", maximumBytes: 1400)
        case "influx": return .influx(url: place, token: nil, maximumBytes: 65_536)
        case "postgresql":
            // postgresql://host/db is the whole of what libpq reads.
            let url = place.hasPrefix("//") ? text : place
            return .postgresql(url: url, table: "sluice_stats", createsTable: true)
        case "sqlite": return .sqlite(path: place, table: "sluice_stats")
        case "elasticsearch": return .elasticsearch(url: place, index: "sluice", apiKey: nil)
        case "webhook": return .webhook(url: place, token: nil)
        case "file": return .file(path: place, format: .json, maximumBytes: 0, keptFiles: 1)
        default:
            let (host, port) = try address(place, standard: nil, text)
            return .text(
                host: host, port: port, transport: kind == "udp" ? .udp : .tcp, format: .json)
        }
    }

    private static func address(
        _ place: String, standard: UInt16?, _ text: String
    ) throws(CommandError) -> (String, UInt16) {
        if let colon = place.lastIndex(of: ":"), !place.hasSuffix("]") {
            let host = place[..<colon].trimmingPrefix("[")
            if let port = UInt16(place[place.index(after: colon)...]), port > 0, !host.isEmpty {
                return (host.hasSuffix("]") ? String(host.dropLast()) : String(host), port)
            }
        } else if let standard {
            return (place, standard)
        }
        throw CommandError(
            "--to is `\(shown(text))`: it must name a host and a port, as tcp:127.0.0.1:4000")
    }
}
