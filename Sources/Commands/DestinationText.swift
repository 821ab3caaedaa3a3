internal import Foundation
internal import RunTelemetry

/// A destination as it stands on the command line.
enum DestinationText {
    static let kinds = [
        "graphite", "influx", "postgresql", "sqlite", "elasticsearch", "webhook", "file", "tcp",
        "udp",
    ]

    /// What was given as it may be shown, without passwords.
    static func shown(_ text: String) -> String { ExportDestination.withoutSecrets(text) }

    /// The destination that an argument means: the name of an exporter of the run in a directory, an exporter in
    /// YAML or in a file (`@FILE`), or `graphite:127.0.0.1:2003` and the like.
    static func destination(
        _ text: String, ofRun directory: String? = nil
    ) throws(CommandError) -> ExportDestination {
        if text.hasPrefix("@") { return try inFile(String(text.dropFirst())) }
        if text.hasPrefix("{") {
            let destination = try exporter(text, file: "--to")
            guard !destination.holdsSecret else {
                throw CommandError(
                    "--to holds a password or token, and everybody on the machine sees the arguments of "
                        + "a command: write the exporter into a file, and --to @FILE")
            }
            return destination
        }
        if let directory, !text.contains(":") { return try named(text, ofRun: directory) }
        return try place(text)
    }

    private static func exporter(
        _ text: String, file: String
    ) throws(CommandError) -> ExportDestination {
        guard !text.allSatisfy(\.isWhitespace) else {
            throw CommandError(
                "\(file) is empty: it needs an exporter, as `file: {path: stats.jsonl}`")
        }
        return try PipelineFile.exporter(YAMLValue.parse(text, file: file)).destination
    }

    private static func inFile(_ path: String) throws(CommandError) -> ExportDestination {
        try exporter(RunPlan.text(ofFile: path, kind: "exporter"), file: path)
    }

    /// The exporter of that name in the newest configuration of a run; paths are taken from where it was
    /// started.
    private static func named(
        _ name: String, ofRun directory: String
    ) throws(CommandError) -> ExportDestination {
        let plan = try RunPlan.read(file: try StoredRun.newestConfiguration(in: directory))
        let exporters = plan.telemetry?.configuration.exporters ?? []
        guard let exporter = exporters.first(where: { $0.name == name }) else {
            throw CommandError(
                "the run in \(directory) has no exporter \(name)"
                    + nearestNameHint(for: name, in: exporters.map(\.name))
                    + "; a kind and a place are written graphite:127.0.0.1:2003")
        }
        func whole(_ path: String) -> String {
            path.hasPrefix("/") ? path : plan.startedIn.map { "\($0)/\(path)" } ?? path
        }
        switch exporter.destination {
        case .file(let path, let format, let maximumBytes, let keptFiles):
            return .file(
                path: whole(path), format: format, maximumBytes: maximumBytes, keptFiles: keptFiles)
        case .sqlite(let path, let table): return .sqlite(path: whole(path), table: table)
        case .graphite, .influx, .postgresql, .elasticsearch, .webhook, .standardOutput, .text:
            return exporter.destination
        }
    }

    /// The destination of `graphite:127.0.0.1:2003` and the like.
    private static func place(_ text: String) throws(CommandError) -> ExportDestination {
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
