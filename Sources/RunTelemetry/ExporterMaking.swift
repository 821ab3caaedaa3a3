internal import Exporters
internal import Telemetry

/// Makes the exporter that a configuration names, and says what it has to be given.
enum ExporterMaking {
    /// An exporter with the form of its records.
    static func make(
        _ configuration: ExporterConfiguration
    ) throws -> (exporter: any Exporter, form: RecordForm) {
        let name = configuration.name
        switch configuration.destination {
        case .graphite(
            let host, let port, let transport, let prefix, let excludedTags, let maximumBytes):
            let format = GraphiteRender(prefix: prefix, excludedTags: excludedTags)
            return (
                try text(host, port, transport, name), .lines(format, maximumBytes: maximumBytes)
            )
        case .influx(let url, let token, let maximumBytes):
            let settings = HTTPSettings(
                authentication: token.map { .scheme("Token", Secret($0)) } ?? .none)
            return (
                try InfluxExporter(.init(name: name, url: url, settings: settings)),
                .lines(InfluxRender(), maximumBytes: maximumBytes)
            )
        case .postgresql(let url, let table, let createsTable):
            return (
                try PostgreSQLExporter(
                    .init(
                        name: name, server: .connectionString(Secret(url)), table: table,
                        createsTable: createsTable)), .documents
            )
        case .sqlite(let path, let table):
            return (
                try SQLiteExporter(.init(name: name, path: path, table: table, createsTable: true)),
                .documents
            )
        case .elasticsearch(let url, let index, let apiKey):
            let settings = HTTPSettings(
                authentication: apiKey.map { .scheme("ApiKey", Secret($0)) } ?? .none,
                maximumAnswerByteCount: 8 << 20)
            return (
                try ElasticsearchExporter(
                    .init(
                        name: name, hosts: [url], index: index, timestampField: nil,
                        settings: settings)), .documents
            )
        case .webhook(let url, let token):
            let settings = HTTPSettings(
                authentication: token.map { .bearer(Secret($0)) } ?? .none)
            return (
                try WebhookExporter(.init(name: name, url: url, settings: settings)), .documents
            )
        case .file(let path, let format, let maximumBytes, let keptFiles):
            let rotation =
                maximumBytes > 0
                ? FileExporter.Rotation(maximumBytes: maximumBytes, keptFileCount: keptFiles) : nil
            return (try FileExporter(path, rotation: rotation, name: name), form(format))
        case .standardOutput(let format): return (StandardOutputExporter(name: name), form(format))
        case .text(let host, let port, let transport, let format):
            return (try text(host, port, transport, name), form(format))
        }
    }

    private static func text(
        _ host: String, _ port: UInt16, _ transport: ExportDestination.TextTransport,
        _ name: String
    ) throws -> any Exporter {
        switch transport {
        case .tcp: try TCPTextExporter(host: host, port: port, name: name)
        case .udp: try UDPTextExporter(host: host, port: port, name: name)
        }
    }

    /// Most bytes of a chunk of lines on its way to a file or a socket.
    private static let standardChunkByteCount = 65_536

    private static func form(_ format: ExportDestination.LineFormat) -> RecordForm {
        switch format {
        case .json: .documents
        case .influx: .lines(InfluxRender(), maximumBytes: standardChunkByteCount)
        case .graphite:
            .lines(
                GraphiteRender(excludedTags: RunMetrics.tagsOutsidePaths),
                maximumBytes: standardChunkByteCount)
        }
    }
}
