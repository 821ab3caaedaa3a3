import ControllerRuntime
import NDArrays
import TestSupport
import Testing

@testable import Commands

@Suite("A stored configuration") struct RoundTripTests {
    /// A value for every key, none of them the standard one.
    private static let full = """
        source: {tiff: {paths: ["scan/*.tif", "a,b.tif"]}}
        startedIn: "/beam time/5"
        rate: 399.7
        plane: inline
        logLevel: warning
        runDirectory: runs/x
        pool: {inputSlots: 12, inputSlotBytes: 8MiB}
        memory: {maximumBytes: 2GiB}
        statistics: {period: 250ms}
        stallTimeLimit: 7min
        durability: file
        journal: {maximumBytes: 1MiB, keep: 3, durability: event}
        telemetry:
          period: 250ms
          route: {processors: [{enrich: {beamline: 13-IDD}}]}
          exporters:
            - graphite: {host: 127.0.0.1, prefix: det, excludedTags: [run, worker], maximumBytes: 1000}
            - influx: {url: "http://127.0.0.1:8086/write?db=det", spool: {directory: spool, maximumBytes: 8MiB}}
          prometheus: {listen: "127.0.0.1:9400"}
        stages:
          - name: correct
            workers: 2
            worker: .build/release/MyWorker
            processors: [{MyDarkCorrection: {dark: dark.tif, levels: [1, no, "a b"]}}, Q]
            inFlight: 4
            policy: round-robin
            overload: sample=1/3
            queueLimit: 9
            outputSlotBytes: 16MiB
            startTimeLimit: 5.25s
            stopTimeLimit: 1min
            frameTimeLimit: 90s
            memoryLimit: 3GiB
            responseTimeLimit: 4s
            maximumAttempts: 2
            maximumFruitlessLives: 7
          - name: save
            from: correct
            processors: [PixelStatistics, "A:x='1,2'"]
            policy: {hash: run number}
          - name: watch
            from: source
            processors: [P]
        """

    private func keys(_ text: String, _ path: String...) throws -> Set<String> {
        var value = try YAMLValue.parse(text, file: "c.yaml")
        for key in path {
            value = try #require(value.entries().first { $0.key == key }?.value)
            if !value.isScalar, !value.isMapping { value = try value.list()[0] }
        }
        return Set(try value.entries().map(\.key))
    }

    @Test func `has every key that a configuration may have`() throws {
        let written = PipelineText.text(of: try PipelineFile.parse(Self.full, file: "p.yaml"))
        // A run directory need not say that it is one.
        #expect(try keys(written) == Set(PipelineFile.keys).subtracting(["runDirectory"]))
        #expect(try keys(Self.full) == Set(PipelineFile.keys), "give the new key a value above")
        #expect(try keys(written, "pool") == Set(PipelineFile.poolKeys))
        #expect(try keys(written, "statistics") == Set(PipelineFile.statisticsKeys))
        let stage = Set(PipelineFile.stageKeys).subtracting(["from"])
        #expect(try keys(written, "stages") == stage)
        #expect(try keys(Self.full, "stages") == stage)
    }

    @Test func `means what was asked for, whatever the values`() throws {
        var plan = try PipelineFile.parse(Self.full, file: "p.yaml")
        plan.configuration.runDirectory = nil
        let text = PipelineText.text(of: plan)
        #expect(try PipelineFile.parse(text, file: "again.yaml") == plan, "\(text)")
        #expect(PipelineText.text(of: try PipelineFile.parse(text, file: "again.yaml")) == text)
    }

    @Test(arguments: [
        "null", "~", "true", "No", "1e5", "0x10", "-", "- a", "a: b", "#", "a #b", "[a", "{a}",
        "'", "\"", "\\", "%", "@", "`", "!", "&", "*", "?", "|", ">", "a\nb", "\n", " a ", "\t",
        "\r\n", "\u{7F}", "\u{85}", "\u{9F}", "\u{A0}", "\u{2028}", "\u{2029}", "a\u{FEFF}", "é",
        "日本", "😀", "\u{1}", "a\u{301}", "---", "...", "<<", "=",
    ])
    func `keeps every text as it is`(text: String) throws {
        var plan = RunPlan(
            source: SourceSpecification(kind: "npy", paths: [text, "x"]),
            configuration: RunConfiguration(stages: [
                StageConfiguration(
                    name: "main",
                    processors: [
                        ProcessorConfiguration(
                            "P",
                            settings: Structure([
                                "value": .scalar(.string(text)),
                                "list": .list([.scalar(.string(text)), .scalar(.string("x"))]),
                                text: .structure(Structure(["inner": .scalar(.string(text))])),
                            ]))
                    ], workerExecutable: text, policy: .hash(attribute: text))
            ]), startedIn: text)
        let written = PipelineText.text(of: plan)
        let again = try PipelineFile.parse(written, file: "c.yaml")
        plan.configuration.configurationText = ""
        #expect(again == plan, "\(written)")
    }

    @Test func `keeps names of stages that mean something in YAML`() throws {
        for name in ["null", "true", "yes", "1", "日本"] {
            let plan = RunPlan(
                source: SourceSpecification(kind: "sim"),
                configuration: RunConfiguration(stages: [
                    StageConfiguration(name: name, processors: [ProcessorConfiguration("P")]),
                    StageConfiguration(
                        name: "b", from: name, processors: [ProcessorConfiguration("P")]),
                ]))
            #expect(
                try PipelineFile.parse(PipelineText.text(of: plan), file: "c.yaml") == plan,
                "\(name)")
        }
    }

    @Test func `keeps times to the last digit`() throws {
        for text in [
            "1s", "500ms", "0.1s", "1.5ms", "33us", "1234567ns", "1h", "2min", "0.3333333s",
        ] {
            let duration = try #require(QuantityText.duration(text))
            let written = QuantityText.text(of: duration)
            #expect(QuantityText.duration(written) == duration, "\(text) \(written)")
        }
        #expect(QuantityText.text(of: .milliseconds(10)) == "10ms")
        #expect(QuantityText.text(of: .milliseconds(1500)) == "1500ms")
        #expect(QuantityText.text(of: .microseconds(1500)) == "1500us")
        var numbers = SeededNumbers(seed: 5)
        for _ in 0..<2000 {
            let exponent = Double.random(in: -6...5, using: &numbers)
            let seconds = Double.random(in: 1...10, using: &numbers) * exponent.rounded().powerOfTen
            let duration = try #require(QuantityText.duration("\(seconds)"))
            let written = QuantityText.text(of: duration)
            #expect(QuantityText.duration(written) == duration, "\(seconds) \(written)")
        }
    }

    @Test func `keeps a source of an earlier run`() throws {
        for text in ["failed:runs/a", "failed:'runs/a,b',outcome=failed+dropped", "failed:a=b"] {
            let source = try SourceSpecification.parse(text)
            let plan = RunPlan(
                source: source,
                configuration: RunConfiguration(stages: [
                    StageConfiguration(name: "main", processors: [ProcessorConfiguration("P")])
                ]))
            #expect(try PipelineFile.parse(PipelineText.text(of: plan), file: "c.yaml") == plan)
        }
    }
}

extension Double {
    fileprivate var powerOfTen: Double {
        var power = 1.0
        for _ in 0..<Int(abs(self)) { power *= 10 }
        return self < 0 ? 1 / power : power
    }
}
