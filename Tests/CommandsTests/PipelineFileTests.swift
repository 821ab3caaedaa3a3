import ControllerRuntime
import NDArrays
import Testing

@testable import Commands

@Suite struct PipelineFileTests {
    private static let full = """
        source: {tiff: {paths: ["scan/*.tif", more]}}
        rate: 400
        plane: inline
        logLevel: warning
        runDirectory: runs/x
        pool: {inputSlots: 12, inputSlotBytes: 8MiB}
        memory: {maximumBytes: 2GiB}
        statistics: {period: 500ms}
        stages:
          - name: correct
            workers: 2
            worker: .build/release/MyWorker
            processors: [{MyDarkCorrection: {dark: dark.tif, levels: [1, no, "a b"]}}]
            inFlight: 4
            policy: round-robin
            outputSlotBytes: 16MiB
            startTimeLimit: 5s
            stopTimeLimit: 1min
            frameTimeLimit: 90s
            memoryLimit: 2GiB
            responseTimeLimit: 500ms
            maximumAttempts: 7
            maximumFruitlessLives: 9
          - name: save
            from: correct
            processors: [PixelStatistics, "A:x='1,2'"]
            policy: {hash: run}
            frameTimeLimit: none
            responseTimeLimit: none
            memoryLimit: none
            overload: drop-oldest
            queueLimit: 12
          - {name: look, from: source, processors: [PixelStatistics], overload: sample=1/10}
        """

    private func message(_ text: String) -> String {
        do {
            let plan = try PipelineFile.parse(text, file: "p.yaml")
            try plan.checkStages()
            return "no error"
        } catch {
            return error.message
        }
    }

    @Test func `every key gets to its place`() throws {
        let plan = try PipelineFile.parse(Self.full, file: "p.yaml")
        let configuration = plan.configuration
        #expect(plan.source == SourceSpecification(kind: "tiff", paths: ["scan/*.tif", "more"]))
        #expect(configuration.rateLimit == 400)
        #expect(configuration.plane == .inline)
        #expect(configuration.logLevel == "warning")
        #expect(configuration.runDirectory == "runs/x")
        #expect(configuration.inputSlotCount == 12)
        #expect(configuration.inputSlotByteCount == 8 << 20)
        #expect(configuration.maximumMemoryByteCount == 2 << 30)
        #expect(configuration.statisticsPeriod == .milliseconds(500))
        let correct = configuration.stages[0]
        #expect(correct.name == "correct" && correct.from == nil && correct.workerCount == 2)
        #expect(correct.workerExecutable == ".build/release/MyWorker")
        #expect(correct.inFlight == 4 && correct.policy == .roundRobin)
        #expect(correct.outputSlotByteCount == 16 << 20)
        #expect(correct.startTimeLimit == .seconds(5) && correct.stopTimeLimit == .seconds(60))
        #expect(correct.frameTimeLimit == .seconds(90) && correct.memoryLimit == 2 << 30)
        #expect(correct.responseTimeLimit == .milliseconds(500))
        #expect(correct.maximumAttempts == 7 && correct.maximumFruitlessLives == 9)
        // Texts stay as they are written: `no` is no boolean before a setting says so.
        #expect(
            correct.processors[0].settings["levels"]
                == .list(["1", "no", "a b"].map { .scalar(.string($0)) }))
        let save = configuration.stages[1]
        #expect(
            save.frameTimeLimit == nil && save.memoryLimit == nil && save.responseTimeLimit == nil)
        #expect(save.from == "correct" && save.policy == .hash(attribute: "run"))
        #expect(save.processors[1].settings["x"] == .scalar(.string("1,2")))
        #expect(correct.overload == nil && correct.queueLimit == nil)
        #expect(save.overload == .dropOldest && save.queueLimit == 12)
        #expect(configuration.stages[2].overload == .sample(everyNth: 10))
    }

    @Test func `what is written can be read again and means the same`() throws {
        var plan = try PipelineFile.parse(Self.full, file: "p.yaml")
        plan.configuration.stages[0].processors[0].settings["odd"] =
            .scalar(.string("a: \"b\"\n\t#é\u{1}"))
        plan.configuration.stages[0].processors[0].settings["empty"] = .scalar(.string(""))
        plan.configuration.stages[0].processors[0].settings["word"] = .scalar(.string("null"))
        plan.configuration.runDirectory = nil
        let text = PipelineText.text(of: plan)
        #expect(try PipelineFile.parse(text, file: "again.yaml") == plan, "\(text)")
    }

    @Test(.timeLimit(.minutes(1)))
    func `aliases of aliases are refused before they fill the memory`() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...12 {
            let alias = "*a\(level - 1)"
            let list = Array(repeating: alias, count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(list)]\n"
        }
        #expect(message(text).contains("more than 100000 values"))
    }

    @Test func `the short forms of a source mean the same`() throws {
        for source in ["tiff:a.tif", "{tiff: a.tif}", "{tiff: [a.tif]}", "{tiff: {paths: a.tif}}"] {
            let text = "source: \(source)\nstages: [{processors: [P]}]\n"
            let plan = try PipelineFile.parse(text, file: "p.yaml")
            #expect(plan.source == SourceSpecification(kind: "tiff", paths: ["a.tif"]))
            #expect(plan.configuration.stages[0].name == "main")
        }
        let sim = try PipelineFile.parse(
            "source: {sim: {count: 5}}\nstages: [{processors: [P]}]", file: "p.yaml")
        #expect(sim.source?.settings["count"] == .scalar(.string("5")))
    }

    @Test(arguments: [
        ("", "p.yaml is empty"),
        ("- a", "p.yaml:1: must hold keys and values"),
        ("stages: [", "p.yaml:"),
        ("source: sim\n", "has no stages"),
        ("stages: []", "p.yaml:1: stages is empty"),
        ("stages: x", "stages must be a list"),
        ("a: 1\na: 2\nstages: []", "there twice"),
        (
            "source: sim\nstages:\n  - processors: [P]\n    wokers: 2\n",
            "p.yaml:4: stages[0] has the unknown key wokers; did you mean workers?"
        ),
        ("souce: sim\nstages: []", "p.yaml:1: has the unknown key souce; did you mean source?"),
        ("stages:\n  - workers: 2\n", "p.yaml:2: stages[0] has no processors"),
        (
            "stages:\n  - processors: [P]\n    workers: many\n",
            "p.yaml:3: stages[0].workers is `many`: it must be a whole number from 1 to 1024"
        ),
        (
            "stages:\n  - processors: [P]\n    workers:\n",
            "p.yaml:3: stages[0].workers has no value"
        ),
        ("stages:\n  - processors: [P]\n    policy: best\n", "must be least-loaded"),
        ("stages:\n  - processors: [P]\n    startTimeLimit: soon\n", "must be a time"),
        ("stages:\n  - processors: [P]\n    outputSlotBytes: big\n", "must be a size"),
        ("stages:\n  - processors: [P]\n    frameTimeLimit: 0\n", "must be a time above 0"),
        ("stages:\n  - processors: [P]\n    memoryLimit: 0\n", "must be a size above 0"),
        ("stages:\n  - processors: [P]\n    maximumAttempts: 0\n", "from 1 to"),
        ("stages:\n  - processors: []\n", "stages[0].processors is empty"),
        ("stages:\n  - processors: [{A: {}, B: {}}]\n", "must hold one processor"),
        ("stages:\n  - processors: [\"A:x\"]\n", "p.yaml:2: stages[0].processors[0] is wrong"),
        ("stages:\n  - {name: a b, processors: [P]}\n", "letters, digits"),
        ("stages:\n  - {name: source, processors: [P]}\n", "not `source`"),
        ("stages:\n  - {processors: [P]}\n  - {processors: [P]}\n", "has no name"),
        (
            "stages:\n  - {name: a, processors: [P]}\n  - {name: b, processors: [P]}\n",
            "p.yaml:3: stages[1] (b) has no from: write from: a"
        ),
        (
            "stages:\n  - {name: a, processors: [P]}\n  - {name: a, from: a, processors: [P]}\n",
            "two stages are called a"
        ),
        (
            "stages:\n  - {name: a, processors: [P]}\n  - {name: b, from: c, processors: [P]}\n",
            "takes from c, which is no stage"
        ),
        (
            "stages: [{name: a, from: b, processors: [P]}, {name: b, from: a, processors: [P]}]",
            "in a circle"
        ),
        (
            "source: {tif: a}\nstages: [{processors: [P]}]",
            "p.yaml:1: source has the unknown kind tif"
        ),
        ("source: {sim: {cont: 5}}\nstages: [{processors: [P]}]", "the unknown key cont"),
        ("source: {tiff: {}}\nstages: [{processors: [P]}]", "has no paths"),
        ("source: {npy: []}\nstages: [{processors: [P]}]", "has no paths"),
        ("source: scan.tif\nstages: [{processors: [P]}]", "write tiff:scan.tif"),
        ("plane: fast\nstages: [{processors: [P]}]", "must be shared or inline"),
        ("rate: 0\nstages: [{processors: [P]}]", "rate is `0`: it must be frames per second"),
        ("logLevel: loud\nstages: [{processors: [P]}]", "must be one of trace"),
        ("statistics: {period: 1ms}\nstages: [{processors: [P]}]", "at least 10ms"),
    ])
    func `what is wrong is told with its line`(text: String, expected: String) {
        let message = message(text)
        #expect(message.contains(expected), "\(message)")
    }

    @Test func `a stage may take the source beside the first one`() throws {
        let text = """
            stages:
              - {name: a, processors: [P]}
              - {name: b, from: source, processors: [P]}
            """
        let plan = try PipelineFile.parse(text, file: "p.yaml")
        try plan.checkStages()
        #expect(plan.configuration.stages[1].from == nil)
    }
}
