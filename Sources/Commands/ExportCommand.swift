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

            A destination is an exporter of the run's own configuration, by its name; or \
            graphite:HOST:PORT, influx:URL, postgresql:URL, sqlite:FILE, elasticsearch:URL, \
            webhook:URL, file:FILE, tcp:HOST:PORT, udp:HOST:PORT; or, with any setting, an exporter \
            as in a configuration file, {graphite: {host: h, prefix: det}}, or @FILE with one.

            A password on a command line is seen by everybody on the machine: write it into a file for \
            @FILE, and for PostgreSQL leave it to PGPASSWORD or a password file.

            Examples:
              sluice export runs/today --to influx
              sluice export runs/today --to graphite:127.0.0.1:2003 --from 2026-11-21T08:00:00Z
            """)

    @OptionGroup var argument: RunArgument

    @Option(
        help: ArgumentHelp(
            "Where to, as influx or graphite:127.0.0.1:2003.", valueName: "destination"))
    var to: String

    @Option(
        help: ArgumentHelp(
            "From this time on: ISO 8601, or seconds since 1970.", valueName: "time"))
    var from: String?

    @Option(help: ArgumentHelp("Up to this time.", valueName: "time"))
    var until: String?

    func run() throws {
        let destination = try DestinationText.destination(to, ofRun: argument.run)
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
