import Foundation
import NDArrays
import TestSupport
import Testing

@testable import Commands
@testable import ControllerRuntime

@Suite("Rows of a ledger") struct LedgerTextTests {
    private func row(_ key: String, reason: String = "") throws -> LedgerRow {
        LedgerRow(
            frame: try #require(FrameKey(key)), uniqueId: 7, stage: "save", outcome: .failed,
            closedAt: 1_795_235_200.25, worker: 1, attempt: 2, configurationVersion: 3,
            reason: reason, source: "a.tif", files: [])
    }

    @Test func `are chosen by frame with its outputs, id, outcome and stage`() throws {
        func takes(_ change: (inout LedgerFilter) throws -> Void, _ key: String = "17/0/3") throws
            -> Bool
        {
            var filter = LedgerFilter()
            try change(&filter)
            return filter.takes(try row(key))
        }
        #expect(try takes { _ in })
        #expect(try takes { $0.frame = FrameKey("17") })
        #expect(try takes { $0.frame = FrameKey("17/0") })
        #expect(try takes { $0.frame = FrameKey("17/0/3") })
        #expect(try !takes { $0.frame = FrameKey("17/0/3/1") })
        #expect(try !takes { $0.frame = FrameKey("17/3") })
        #expect(try !takes({ $0.frame = FrameKey("1") }, "17"))
        #expect(try takes { $0.uniqueId = 7 })
        #expect(try !takes { $0.uniqueId = 17 })
        #expect(try takes { $0.outcomes = [.failed, .dropped] })
        #expect(try !takes { $0.outcomes = [.processed] })
        #expect(try takes { $0.stage = "save" })
        #expect(try !takes { $0.stage = "sav" })
    }

    @Test(.enabled(if: Python.isThere, Python.hint))
    func `have the time of this place, which others read`() throws {
        let moments = [0.0, 0.000001, 1_795_235_200.25, 1_751_328_000.999999, 253_402_300_799.0]
        let script = """
            import datetime, sys
            for text in sys.argv[1:]:
                time = datetime.datetime.fromisoformat(text)
                assert time.utcoffset() is not None
                print(repr(time.timestamp()))
            """
        let read = try Python.lines(script, moments.map(LocalTime.text))
        #expect(read.map { Double($0) } == moments)
        #expect(LocalTime.text(of: .nan) == "nan")
    }

    @Test func `flow in columns as wide as the first of them need`() {
        var table = FlowingTable(
            [("frame", .right), ("why", .left), ("x", .left)], sampleCount: 2, width: nil)
        #expect(table.add(["1", "", ""]) == [])
        #expect(table.add(["22", "abcd", "y"]) == ["frame  why   x", "    1", "   22  abcd  y"])
        #expect(table.add(["333333", "z", ""]) == ["333333  z"])
        #expect(table.end() == [])
        var narrow = FlowingTable([("frame", .right), ("why", .left)], sampleCount: 9, width: 9)
        #expect(narrow.add(["1", "abcd"]) == [])
        #expect(narrow.end() == ["frame  w…", "    1  a…"])
        var empty = FlowingTable([("frame", .right)], sampleCount: 9, width: 9)
        #expect(empty.end() == [])
    }
}
