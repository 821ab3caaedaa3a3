import Journal
import Telemetry
import TestSupport
import Testing

/// What `Docs/Reference/Routing.md` shows is what comes out.
@Suite(.timeLimit(.minutes(1))) struct RoutingPageTests {
    private let page: [Substring]

    init() throws {
        let bytes = try contents("\(Checkout.path)/Docs/Reference/Routing.md")
        page = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }

    private func expectOnPage(_ line: String) {
        #expect(page.contains { $0 == line }, "\(line)")
    }

    @Test func `The example gives the lines of the page`() throws {
        let (log, pager) = (LogRecorder(), InMemoryBackend())
        let json = """
            {"processors":[{"drop":{"name":"frame.*"}},{"enrich":{"beamline":"13-IDD"}}],
             "backends":[{"log":{"queue":1024,"whenFull":"drop-oldest"}}],
             "routes":{"alarms":{"processors":[{"allow":{"names":["exception","worker.gone"]}}],
               "backends":["pager"]}}}
            """
        let router = try RoutingBackend(
            from: try #require(JournalValue(json: json)),
            backends: ["log": LoggerBackend(logger: log.logger()), "pager": pager])
        let events: [(String, Double, JournalValue)] = [
            ("frame.done", 1_795_800_000, ["frameId": 7]),
            ("run.start", 1_795_800_000.25, ["workers": 4]),
            ("worker.gone", 1_795_800_001.5, ["worker": 3]),
        ]
        for (index, (name, time, data)) in events.enumerated() {
            router.send(
                TelemetryEvent(name: name, timestamp: time, seq: UInt64(index) + 1, data: data))
        }
        #expect(router.flush(within: .seconds(50)))
        #expect(log.lines.count == 2)
        for line in log.lines { expectOnPage(line.message) }
        #expect(pager.events.count == 1)
        for event in pager.events { expectOnPage(try event.value.json()) }
        let done = router.statistics
        #expect(done.received == 3 && done.dropped == 1 && done.unmatched == 0)
        #expect(done.processors.map(\.processed) == [3, 2])
        #expect(done.backends.map(\.delivered) == [1, 2])
        #expect(done.backends.map(\.dropped) == [1, 0])
    }

    @Test(arguments: [
        #"{"processors":[{"drp":{"name":"frame.*"}}]}"#,
        #"{"processors":[{"regex":{"expressions":["***"]}}]}"#,
        #"{"processors":[{"allow":{"names":"exception"}}]}"#,
        #"{"processors":[{"sample":{"evry":10}}]}"#, #"{"backends":["grafite"]}"#,
        #"{"backends":[{"log":{"queue":0}}]}"#,
    ])
    func `Configurations are refused in the words of the page`(json: String) throws {
        let value = try #require(JournalValue(json: json))
        do {
            _ = try RoutingBackend(
                from: value, backends: ["log": InMemoryBackend(), "graphite": InMemoryBackend()])
            Issue.record("\(json) was taken")
        } catch {
            expectOnPage(error.description)
        }
    }

    @Test func `All kinds of processors are on the page`() {
        for kind in EventProcessorRegistry.standard.kinds {
            #expect(page.contains { $0.hasPrefix("| `\(kind)` |") }, "\(kind)")
        }
    }
}
