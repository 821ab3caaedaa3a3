internal import Foundation
internal import Journal
internal import RunTelemetry
internal import Yams

/// Where statistics and events of a run go, as a configuration file says it.
struct TelemetryPlan: Sendable, Hashable {
    /// What was said, checked.
    let configuration: TelemetryConfiguration
    /// The section as JSON, which is YAML, too: what a run directory keeps.
    let text: String

    static func == (left: TelemetryPlan, right: TelemetryPlan) -> Bool { left.text == right.text }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

extension PipelineFile {
    /// Keys of `telemetry`.
    static let telemetryKeys = ["period", "route", "exporters", "prometheus"]
    /// Keys of every exporter.
    static let exporterKeys = ["name", "statistics", "events", "memory", "spool"]
    /// Keys of `spool`.
    static let spoolKeys = ["directory", "maximumBytes", "whenFull"]
    /// Keys of each kind of exporter.
    static let exporterKinds: KeyValuePairs<String, [String]> = [
        "graphite": ["host", "port", "transport", "prefix", "excludedTags", "maximumBytes"],
        "influx": ["url", "token", "maximumBytes"],
        "postgresql": ["url", "table", "createTable"],
        "sqlite": ["path", "table"],
        "elasticsearch": ["url", "index", "apiKey"],
        "webhook": ["url", "token"],
        "file": ["path", "format", "maximumBytes", "keptFiles"],
        "stdout": ["format"],
        "tcp": ["host", "port", "format"],
        "udp": ["host", "port", "format"],
    ]

    /// The section `telemetry`.
    static func telemetry(_ value: YAMLValue) throws(CommandError) -> TelemetryPlan {
        let values = try value.values(keys: telemetryKeys)
        var configuration = TelemetryConfiguration()
        if let period = values["period"] {
            configuration.period = try duration(
                period, minimum: TelemetryConfiguration.minimumPeriod)
        }
        if let route = values["route"] { configuration.route = try route.journalValue() }
        if let exporters = values["exporters"] {
            configuration.exporters = try self.exporters(exporters)
        }
        if let page = values["prometheus"] {
            configuration.prometheus = try page.values(keys: ["listen"])["listen"]?.parsed(
                "a numeric address and a port, as 127.0.0.1:9400", PageAddress.init(text:))
            guard configuration.prometheus != nil else {
                throw page.error("has no address: write {listen: 127.0.0.1:9400}")
            }
        }
        do {
            try RunTelemetry.check(configuration)
        } catch {
            throw value.error("is wrong: \(error)")
        }
        let text: String
        do {
            text = try value.journalValue().json()
        } catch let error as CommandError {
            throw error
        } catch {
            throw value.error("can't be kept: \(error)")
        }
        return TelemetryPlan(configuration: configuration, text: text)
    }

    private static func exporters(
        _ value: YAMLValue
    ) throws(CommandError) -> [ExporterConfiguration] {
        var exporters: [ExporterConfiguration] = []
        let list = try value.list()
        guard list.count <= TelemetryConfiguration.maximumExporterCount else {
            throw value.error(
                "are \(list.count), more than \(TelemetryConfiguration.maximumExporterCount)")
        }
        for item in list {
            var exporter = try self.exporter(item)
            if exporter.name.isEmpty {
                let kind = exporter.destination.kind
                let same = exporters.count { $0.destination.kind == kind }
                exporter.name = same == 0 ? kind : "\(kind)-\(same + 1)"
            }
            if exporters.contains(where: { $0.name == exporter.name }) {
                throw item.error(
                    "is called \(exporter.name) like another: give it a name of its own")
            }
            if let file = exporter.file, exporters.contains(where: { $0.file == file }) {
                throw item.error("writes to \(file) like another: give it a file of its own")
            }
            exporters.append(exporter)
        }
        return exporters
    }

    /// An exporter, `{graphite: {host: …}}`; its name is empty where the file gives none.
    static func exporter(
        _ item: YAMLValue
    ) throws(CommandError) -> ExporterConfiguration {
        let entries = try item.entries()
        guard entries.count == 1, let entry = entries.first else {
            throw item.error("must hold one exporter, as `{file: {path: stats.jsonl}}`")
        }
        guard let kind = exporterKinds.first(where: { $0.key == entry.key }) else {
            throw item.error(
                "has the unknown exporter \(entry.key)"
                    + nearestNameHint(for: entry.key, in: exporterKinds.map(\.key)),
                line: entry.line)
        }
        let values =
            entry.value.isNull ? [:] : try entry.value.values(keys: kind.value + exporterKeys)
        let settings = ExporterSettings(whole: entry.value, values: values)
        var exporter = ExporterConfiguration(
            name: try values["name"].map { value throws(CommandError) in try name(value) } ?? "",
            destination: try settings.destination(kind.key))
        if let statistics = try values["statistics"]?.boolean() {
            exporter.takesStatistics = statistics
        }
        if let events = values["events"] {
            exporter.takesEvents = try events.boolean()
            guard !exporter.takesEvents || exporter.destination.holdsEvents else {
                throw events.error("is true, but \(kind.key) can't hold events")
            }
        }
        if let memory = values["memory"] { exporter.maximumMemoryBytes = try byteCount(memory) }
        if let spool = values["spool"] { exporter.spool = try self.spool(spool) }
        return exporter
    }

    /// A name stands in tables and logs, so that it may not drive a terminal.
    private static func name(_ value: YAMLValue) throws(CommandError) -> String {
        try value.parsed("a name of at most 256 bytes without control characters") { text in
            let isSound = text.unicodeScalars.allSatisfy {
                $0.properties.generalCategory != .control
            }
            return isSound && text.utf8.count <= 256 ? text : nil
        }
    }

    private static func spool(_ value: YAMLValue) throws(CommandError) -> SpoolPlace {
        let values = try value.values(keys: spoolKeys)
        guard let directory = try values["directory"]?.text() else {
            throw value.error("has no directory: name a folder of this exporter alone")
        }
        var spool = SpoolPlace(directory: directory)
        if let bytes = values["maximumBytes"] { spool.maximumBytes = try byteCount(bytes) }
        if let whenFull = values["whenFull"] {
            spool.whenFull = try whenFull.parsed(
                SpoolPlace.WhenFull.allCases.map(\.rawValue).joined(separator: " or "),
                SpoolPlace.WhenFull.init(rawValue:))
        }
        return spool
    }
}

extension ExporterConfiguration {
    /// The file that it writes lines to, in a form in which equal files are equal; nil where it does not.
    fileprivate var file: String? {
        guard case .file(let path, _, _, _) = destination else { return nil }
        return URL(fileURLWithPath: path).standardizedFileURL.path
    }
}

/// The settings of one exporter.
private struct ExporterSettings {
    let whole: YAMLValue
    let values: [String: YAMLValue]

    func destination(_ kind: String) throws(CommandError) -> ExportDestination {
        switch kind {
        case "graphite":
            .graphite(
                host: try needed("host", "127.0.0.1"), port: try port(standard: 2003),
                transport: try word("transport", .tcp), prefix: try text("prefix") ?? "sluice",
                excludedTags: try values["excludedTags"].map { value throws(CommandError) in
                    Set(try value.texts())
                } ?? RunMetrics.tagsOutsidePaths,
                maximumBytes: try byteCount("maximumBytes", standard: 1400))
        case "influx":
            .influx(
                url: try needed("url", "http://127.0.0.1:8086/write?db=det"),
                token: try text("token"),
                maximumBytes: try byteCount("maximumBytes", standard: 65_536))
        case "postgresql":
            .postgresql(
                url: try needed("url", "postgresql://127.0.0.1/det"),
                table: try text("table") ?? "sluice_stats",
                createsTable: try values["createTable"]?.boolean() ?? true)
        case "sqlite":
            .sqlite(
                path: try needed("path", "stats.sqlite"),
                table: try text("table") ?? "sluice_stats")
        case "elasticsearch":
            .elasticsearch(
                url: try needed("url", "http://127.0.0.1:9200"),
                index: try text("index") ?? "sluice", apiKey: try text("apiKey"))
        case "webhook":
            .webhook(url: try needed("url", "http://127.0.0.1:8000/hook"), token: try text("token"))
        case "file":
            .file(
                path: try needed("path", "stats.jsonl"), format: try word("format", .json),
                maximumBytes: try byteCount("maximumBytes", standard: 0),
                keptFiles: try values["keptFiles"]?.integer(in: 1...1000) ?? 5)
        case "stdout": .standardOutput(format: try word("format", .json))
        default:
            .text(
                host: try needed("host", "127.0.0.1"), port: try port(standard: nil),
                transport: kind == "udp" ? .udp : .tcp, format: try word("format", .json))
        }
    }

    private func text(_ key: String) throws(CommandError) -> String? { try values[key]?.text() }

    private func needed(_ key: String, _ example: String) throws(CommandError) -> String {
        guard let text = try text(key) else {
            throw whole.error("has no \(key): add it, as `\(key): \(example)`")
        }
        return text
    }

    private func port(standard: UInt16?) throws(CommandError) -> UInt16 {
        guard let value = values["port"] else {
            guard let standard else { throw whole.error("has no port: add it, as `port: 4000`") }
            return standard
        }
        return UInt16(try value.integer(in: 1...65_535))
    }

    private func word<Word: RawRepresentable & CaseIterable>(
        _ key: String, _ standard: Word
    ) throws(CommandError) -> Word where Word.RawValue == String {
        try values[key]?.parsed(
            Word.allCases.map(\.rawValue).joined(separator: " or "), Word.init(rawValue:))
            ?? standard
    }

    private func byteCount(_ key: String, standard: Int) throws(CommandError) -> Int {
        try values[key].map { value throws(CommandError) in try PipelineFile.byteCount(value) }
            ?? standard
    }
}

extension YAMLValue {
    /// `true` or `false`.
    func boolean() throws(CommandError) -> Bool {
        try parsed("true or false") { ["true": true, "false": false][$0] }
    }

    /// The value as a tree, plain words with the types of YAML's core schema (YAML 1.2 §10.3).
    func journalValue() throws(CommandError) -> JournalValue {
        switch node {
        case .sequence:
            var values: [JournalValue] = []
            for value in try list() { values.append(try value.journalValue()) }
            return .array(values)
        case .mapping:
            var fields: [JournalField] = []
            for entry in try entries() {
                fields.append(JournalField(entry.key, try entry.value.journalValue()))
            }
            return .object(fields)
        case .scalar(let scalar):
            guard scalar.style == .plain else { return .string(scalar.string) }
            if isNull { return .null }
            switch scalar.string {
            case "true", "True", "TRUE": return true
            case "false", "False", "FALSE": return false
            default: break
            }
            if let whole = Int64(scalar.string) { return .int(whole) }
            if let first = scalar.string.first, first.isNumber || "+-.".contains(first),
                let number = Double(scalar.string)
            {
                return .double(number)
            }
            return .string(scalar.string)
        case .alias: throw error("is an alias of nothing")
        }
    }
}
