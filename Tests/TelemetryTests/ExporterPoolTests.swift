import Journal
import TestSupport
import Testing

@testable import Telemetry

/// Pools that wait for results.
@Suite(.timeLimit(.minutes(1))) struct ExporterPoolTests {
    @Test func `R9: Only the member that failed gets the record again`() throws {
        let good = FaultyExporter("good")
        let bad = FaultyExporter("bad", .isDown)
        let pool = try ExporterPool([good, bad])
        let results = try pool.send(["n": 1])
        #expect(results.map(\.successful) == [true, false])
        #expect(results.map(\.exporter) == ["good", "bad"])
        #expect(results[1].reason == "bad is down")
        bad.mode = .works
        #expect(try pool.sendUnsentData().count == 1)
        #expect(good.attempts == [1] && bad.attempts == [1, 1])
        #expect(!pool.hasUnsentData)
    }

    @Test func `R10: A record that all failed is kept once, under the name of the pool`() throws {
        let members = ["a", "b"].map { FaultyExporter($0, .isDown) }
        let pool = try ExporterPool(members, name: "archive")
        try pool.send("x")
        let unsent = try pool.unsentData()
        #expect(unsent.map(\.exporterName) == ["archive"])
        #expect(unsent.map(\.owed) == [["a", "b"]])
        #expect(pool.spool.live.records == 1)
        for member in members { member.mode = .works }
        #expect(try pool.sendUnsentData().count == 2)
        #expect(members.allSatisfy { $0.values == ["x"] })
    }

    @Test func `A record that some failed is kept under their names`() throws {
        let pool = try ExporterPool([FaultyExporter("a"), FaultyExporter("b", .isDown)])
        try pool.send("x")
        #expect(try pool.unsentData().map(\.exporterName) == ["b"])
    }

    @Test func `R11: Three pools without names have three names`() throws {
        let names = try (0..<3).map { _ in try ExporterPool().name }
        #expect(Set(names).count == 3)
        #expect(names.allSatisfy { $0.hasPrefix("exporterpool_") })
    }

    @Test(arguments: [1, 2])
    func `R12, R13: A member that throws holds up no other, and owes the record`(_ threads: Int)
        throws
    {
        struct Broken: Error {}
        let good = FaultyExporter("good")
        let throwing = ClosureExporter(name: "throwing") { _ in throw Broken() }
        let pool = try ExporterPool([throwing, good], numThreads: threads)
        let results = try pool.send("x")
        #expect(results.map(\.successful) == [false, true])
        #expect(results[0].reason == "Broken()")
        #expect(good.values == ["x"])
        #expect(try pool.spool.owedSeqs("throwing") == [1])
    }

    @Test func `R14: Sending without waiting returns with nothing while a member is busy`() throws {
        let slow = GatedExporter("slow")
        let pool = try ExporterPool([slow], waitForResult: false)
        // Comes back although nobody has opened the gate.
        #expect(try pool.send("x").isEmpty)
        slow.entered.wait(until: nil)
        #expect(slow.count == 0)
        slow.open()
        try pool.stop(within: .seconds(20))
        #expect(slow.count == 1)
    }

    @Test func `R15: A failure is kept when nobody waits`() throws {
        let bad = FaultyExporter("bad", .isDown)
        let pool = try ExporterPool([bad], waitForResult: false, clock: ManualExportClock())
        try pool.send("x")
        bad.awaitCalls(1)
        #expect(pool.hasUnsentData)
        #expect(try pool.spool.owedSeqs("bad") == [1])
    }

    @Test func `R16: No threads is an invalid configuration`() {
        let expected = ExportError.invalidConfiguration("numThreads of 'p' must be 1 or more")
        #expect(throws: expected) { try ExporterPool([], numThreads: 0, name: "p") }
    }

    @Test func `Members are served at the same time by several threads`() throws {
        // The first is let go by the second: with one thread nobody would come to the second.
        let first = GatedExporter("first")
        let second = ClosureExporter(name: "second") { _ in
            first.entered.wait(until: nil)
            first.open()
            return .null
        }
        let pool = try ExporterPool([first, second], numThreads: 2)
        #expect(try pool.send("x").map(\.successful) == [true, true])
    }

    @Test func `R17: A pool in a pool sends to its members, and keeps account of each`() throws {
        let a = FaultyExporter("a")
        let b = FaultyExporter("b", .isDown)
        let c = FaultyExporter("c")
        let inner = try ExporterPool([a, b], name: "inner")
        let outer = try ExporterPool([inner, c], name: "outer")
        let results = try outer.send("x")
        #expect(results.map(\.exporter) == ["inner", "c"])
        #expect(results.map(\.successful) == [false, true])
        #expect(results[0].returned == [1, .null])
        #expect(outer.spool.owing == ["inner/b"] && !inner.hasUnsentData)
        b.mode = .works
        try outer.sendUnsentData()
        #expect(a.attempts == [1] && b.attempts == [1, 1] && c.attempts == [1])
    }

    @Test func `A pool can't be in itself`() throws {
        let inner = try ExporterPool(name: "inner")
        let outer = try ExporterPool([inner], name: "outer")
        #expect(throws: ExportError.self) { try outer.addExporter(outer) }
        #expect(throws: ExportError.self) { try inner.addExporter(outer) }
    }

    @Test func `R18: A member that says nothing of a record owes it`() throws {
        let pool = try ExporterPool([FaultyExporter("silent", .isSilent), FaultyExporter("b")])
        let results = try pool.send("x")
        #expect(results.map(\.successful) == [false, true])
        #expect(results[0].reason == "the exporter said what became of 0 of 1 records")
        #expect(pool.spool.owing == ["silent"])
    }

    @Test func `R19: What a member that was added later does not take is kept by the pool alone`()
        throws
    {
        let pool = try ExporterPool([FaultyExporter("a")])
        let late = try ResilientExporter(FaultyExporter("late", .isDown))
        try pool.addExporter(late)
        #expect(try pool.send("x").map(\.successful) == [true, false])
        #expect(pool.spool.owing == ["late"] && !late.hasUnsentData)
    }

    @Test func `R20: A pool that saves nothing leaves its members their own setting`() throws {
        let keeping = try ResilientExporter(FaultyExporter("keeping", .isDown))
        let other = try ResilientExporter(
            FaultyExporter("other", .isDown), saveUnsentData: false)
        let pool = try ExporterPool([keeping, other], saveUnsentData: false)
        try pool.send("x")
        #expect(keeping.savesUnsentData && !other.savesUnsentData)
        #expect(!pool.hasUnsentData && keeping.hasUnsentData && !other.hasUnsentData)
        #expect(pool.spool.dropped("other") == [.notSaved: 1])
        #expect(pool.spool.dropped("keeping").isEmpty)
    }

    @Test func `R38: The same exporter twice is an error that names it`() throws {
        let a = FaultyExporter("a")
        let expected = ExportError.invalidConfiguration(
            "two exporters named 'a' in the pool 'p': give each a name of its own")
        #expect(throws: expected) { try ExporterPool([a, a], name: "p") }
        let pool = try ExporterPool([a], name: "p")
        #expect(throws: expected) { try pool.addExporter(FaultyExporter("a")) }
        #expect(pool.exporters.count == 1)
    }

    @Test func `R39: An empty pool gives an empty list, which counts as success`() throws {
        let results = try ExporterPool().send("x")
        #expect(results.isEmpty && results.allSuccessful)
    }

    @Test func `The transform of a pool turns those of its members off`() throws {
        let a = FaultyExporter("a")
        let member = try ResilientExporter(a, transform: { _ in .value("member") })
        try ExporterPool([member], transform: { _ in .value("pool") }).send("x")
        #expect(a.values == ["pool"])
    }

    @Test func `Without one the transforms of members hold, each once and for itself`() throws {
        let a = FaultyExporter("a", .isDown)
        let b = FaultyExporter("b", .isDown)
        let transform: ExportTransform = { data in
            guard case .value(.string(let text)) = data else { return nil }
            return .value(.string(text + "+"))
        }
        let pool = try ExporterPool([try ResilientExporter(a, transform: transform), b])
        try pool.send("x")
        a.mode = .works
        b.mode = .works
        try pool.sendUnsentData()
        #expect(a.values == ["x+"] && b.values == ["x"])
        #expect(a.taken[0].seq == b.taken[0].seq)
    }

    @Test func `A transform that fails reaches no member`() throws {
        struct Flaw: Error {}
        let a = FaultyExporter("a")
        let b = try ResilientExporter(FaultyExporter("b"), transform: { _ in throw Flaw() })
        let pool = try ExporterPool([a, b])
        #expect(throws: ExportError.transformFailed(exporter: "b", reason: "Flaw()")) {
            try pool.send("x")
        }
        #expect(a.callCount == 0 && !pool.hasUnsentData)
    }

    @Test func `What is saved by hand is owed by the one that is named, or by all`() throws {
        let a = FaultyExporter("a")
        let b = FaultyExporter("b")
        let pool = try ExporterPool([a, b], name: "p")
        try pool.saveUnsentData(.value("one"), exporterName: "b")
        try pool.saveUnsentData(.value("all"))
        #expect(throws: ExportError.self) {
            try pool.saveUnsentData(.value("none"), exporterName: "c")
        }
        #expect(try pool.sendUnsentData().count == 3)
        #expect(a.values == ["all"] && b.values == ["one", "all"])
    }

    @Test func `The first failure ends the turn of its destination, and not of others`() throws {
        let a = FaultyExporter("a", .isDown)
        let b = FaultyExporter("b", .isDown)
        let pool = try ExporterPool([a, b])
        for number in 1...4 { try pool.send(["n": .int(Int64(number))]) }
        a.mode = .worksFor(2)
        b.mode = .works
        #expect(
            try pool.sendUnsentData().map(\.successful) == [true, true, false] + [
                true, true, true, true,
            ])
        #expect(try pool.spool.owedSeqs("a") == [3, 4])
        #expect(b.taken.map(\.seq) == [1, 2, 3, 4])
    }

    @Test func `Records keep the identity that they came with`() throws {
        let a = FaultyExporter("a")
        let pool = try ExporterPool([a], source: "run-7", firstSeq: 10)
        try pool.send("x")
        try pool.send(numbered(99))
        #expect(a.taken.map(\.source) == ["run-7", "test"] && a.taken.map(\.seq) == [10, 99])
    }

    @Test func `Two texts and two objects come out of a file as they went into a pool`() throws {
        let folder = try TemporaryFolder()
        let file = try FileExporter(folder.file("out"))
        let pool = try ExporterPool([file, FaultyExporter("other")], numThreads: 2)
        for value: JournalValue in ["one", "two", ["a": 1, "b": [1, 2]], ["c": "ü"]] {
            #expect(try pool.send(value).map(\.successful) == [true, true])
        }
        #expect(
            try folder.text(of: "out") == "one\ntwo\n{\"a\":1,\"b\":[1,2]}\n{\"c\":\"ü\"}\n")
    }
}
