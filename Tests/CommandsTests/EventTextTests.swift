import ControllerRuntime
import Foundation
import Journal
import Testing

@testable import Commands

@Suite struct EventTextTests {
    @Test(arguments: [
        ("1795235200.5", 1_795_235_200.5), ("0", 0), ("10min", 998_200), ("90s", 998_710),
        ("1970-01-02T00:00:00Z", 86_400), ("1970-01-02T01:30:00+01:30", 86_400),
        ("1970-01-01 19:00-0500", 86_400), ("2026-11-21T14:05:09.250000Z", 1_795_269_909.25),
        (" 1h ", 995_200), ("1000h", 0),
    ])
    func `moments are read`(_ text: String, _ seconds: Double) {
        #expect(MomentText.seconds(text, now: 998_800) == seconds)
    }

    @Test func `a time without a zone is one of this place`() throws {
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday, parts.tm_hour) = (126, 5, 3, 14)
        parts.tm_isdst = -1
        let expected = Double(mktime(&parts))
        #expect(MomentText.seconds("2026-06-03T14:00", now: 0) == expected)
        #expect(MomentText.seconds("2026-06-03 14:00:00", now: 0) == expected)
        let midnight = try #require(MomentText.seconds("2026-06-03", now: 0))
        #expect(expected - midnight == 14 * 3600)
    }

    @Test(arguments: [
        "", "yesterday", "-5", "2026-13-01", "2026-04-31", "2026-06-03T25:00", "2026-06-03T14",
        "2026-06-03T14:61", "1960-01-01", "nan", "5 o'clock",
    ])
    func `what is no moment is refused, with what one is`(_ text: String) {
        #expect(MomentText.seconds(text, now: 1e9) == nil)
        let error = #expect(throws: CommandError.self) {
            try MomentText.seconds(text, option: "--since")
        }
        #expect(error?.message.contains("--since is '\(text)'") == true)
    }

    @Test(arguments: [
        ("cause=exit", true), ("cause=\"exit\"", true), ("cause=Exit", false), ("worker=3", true),
        ("worker=3.0", true), ("worker=4", false), ("detectionSeconds=0.125", true),
        ("detectionSeconds=0.125009", true), ("detectionSeconds=0.12502", false),
        ("charged=null", true), ("balanced=true", true), ("balanced=false", false),
        ("nothing=1", false), ("stages=[1,2]", true), ("cause=", false),
    ])
    func `a value of the context fits or not`(_ text: String, _ fits: Bool) throws {
        let event = JournalEvent(
            timestamp: 1, seq: 1, name: "worker-gone",
            context: [
                JournalField("cause", "exit"), JournalField("worker", 3),
                JournalField("detectionSeconds", 0.125), JournalField("charged", nil),
                JournalField("balanced", true), JournalField("stages", [1, 2]),
            ])
        #expect(try EventMatch(text: text).fits(event) == fits)
    }

    @Test(arguments: ["", "cause", "=exit"])
    func `a match without key or value is refused`(_ text: String) {
        #expect(throws: CommandError.self) { try EventMatch(text: text) }
    }

    @Test(arguments: [
        ("{}", JournalPolicy()),
        (
            "{maximumBytes: 1MiB, keep: 2, durability: close}",
            JournalPolicy(
                durability: .close,
                rotation: JournalRotation(maximumByteCount: 1 << 20, keptFileCount: 2))
        ),
        ("{maximumBytes: none}", JournalPolicy(rotation: nil)),
    ])
    func `how a journal is kept is read`(_ text: String, _ policy: JournalPolicy) throws {
        let file = "stages: [{name: main, processors: [P]}]\njournal: \(text)\n"
        #expect(try PipelineFile.parse(file, file: "p.yaml").configuration.journal == policy)
    }

    @Test(arguments: [
        "{maximumBytes: 5}", "{maximumBytes: none, keep: 3}", "{keep: -1}", "{durability: file}",
        "{size: 5}", "5",
    ])
    func `how a journal can't be kept is refused`(_ text: String) {
        let file = "stages: [{name: main, processors: [P]}]\njournal: \(text)\n"
        #expect(throws: CommandError.self) { try PipelineFile.parse(file, file: "p.yaml") }
    }
}
