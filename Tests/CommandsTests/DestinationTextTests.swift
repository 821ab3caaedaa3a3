import RunTelemetry
import TestSupport
import Testing

@testable import Commands

@Suite("A destination on the command line") struct DestinationTextTests {
    @Test func `is an exporter with all its settings, as in a configuration file`() throws {
        #expect(
            try DestinationText.destination("{graphite: {host: h, prefix: det, excludedTags: []}}")
                == .graphite(
                    host: "h", port: 2003, transport: .tcp, prefix: "det", excludedTags: [],
                    maximumBytes: 1400))
        #expect(
            try DestinationText.destination("{sqlite: {path: a.sqlite, table: mine}}")
                == .sqlite(path: "a.sqlite", table: "mine"))
    }

    @Test func `is in a file, where a token may stand`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "influx:\n  url: http://h:8086/write?db=det\n  token: hunter2\n", to: "influx.yaml")
        #expect(
            try DestinationText.destination("@\(file)")
                == .influx(
                    url: "http://h:8086/write?db=det", token: "hunter2", maximumBytes: 65_536))
    }

    @Test func `is an exporter of the run, of its newest configuration`() throws {
        let folder = try TemporaryFolder()
        func write(_ telemetry: String, to file: String) throws {
            _ = try folder.write(
                "startedIn: /data\nsource: {sim: {count: 1, shape: 2x2}}\n"
                    + "stages: [{worker: w, processors: [P]}]\n\(telemetry)\n", to: file)
        }
        try write("telemetry: {exporters: [{stdout: {}}]}", to: "configuration.yaml")
        try write(
            """
            telemetry:
              exporters:
                - {influx: {url: "http://h/write?db=x", token: secret}}
                - {file: {path: out.jsonl, name: copy}}
                - {sqlite: {path: /all/out.sqlite, table: t}}
            """, to: "configuration-2.yaml")
        func destination(_ name: String) throws -> ExportDestination {
            try DestinationText.destination(name, ofRun: folder.path)
        }
        #expect(
            try destination("influx")
                == .influx(url: "http://h/write?db=x", token: "secret", maximumBytes: 65_536))
        #expect(
            try destination("copy")
                == .file(path: "/data/out.jsonl", format: .json, maximumBytes: 0, keptFiles: 5))
        #expect(try destination("sqlite") == .sqlite(path: "/all/out.sqlite", table: "t"))
        #expect(
            try destination("tcp:h:1") == .text(host: "h", port: 1, transport: .tcp, format: .json))
        let error = #expect(throws: CommandError.self) { try destination("inflx") }
        #expect(error?.description.contains("did you mean influx?") == true)
        try write("", to: "configuration-3.yaml")
        #expect(throws: CommandError.self) { try destination("influx") }
    }

    @Test(arguments: [
        ("{influx: {url: http://h, token: hunter2}}", "@FILE"),
        ("{influx: {url: \"http://a:hunter2@h\"}}", "@FILE"),
        ("{grafite: {host: h}}", "did you mean graphite"),
        ("{graphite: {host: h}, file: {path: x}}", "must hold one exporter"),
        ("{graphite: {hots: h}}", "did you mean host"), ("{", "--to:"),
        ("@/nothing/there.yaml", "can't read the exporter /nothing/there.yaml"),
        ("@", "can't read the exporter"), ("graphite", "a kind and a place"),
        ("", "a kind and a place"), ("inflx:http://a:hunter2@h", "did you mean influx"),
    ])
    func `that can't be is one error without passwords`(text: String, expected: String) {
        let error = #expect(throws: CommandError.self) { try DestinationText.destination(text) }
        let description = error?.description ?? ""
        #expect(description.contains(expected), "\(description)")
        #expect(!description.contains("hunter2"))
    }

    @Test func `in an empty file is said to be missing`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(" \n", to: "empty.yaml")
        let error = #expect(throws: CommandError.self) {
            try DestinationText.destination("@\(file)")
        }
        #expect(error?.description.contains("needs an exporter") == true)
    }
}
