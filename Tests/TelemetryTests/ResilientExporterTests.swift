import Glibc
import Journal
import Synchronization
import TestSupport
import Testing

@testable import Telemetry

/// One exporter with its spool.
@Suite(.timeLimit(.minutes(1))) struct ResilientExporterTests {
    private func object(_ number: Int64) -> JournalValue { ["n": .int(number)] }

    @Test
    func `R1: Resending by hand while the target is down returns and keeps the records in order`()
        throws
    {
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(target)
        for number in 1...5 { try sender.send(object(Int64(number))) }
        let results = try sender.sendUnsentData()
        #expect(results.map(\.successful) == [false])
        #expect(target.attempts == [1, 2, 3, 4, 5, 1])
        #expect(try sender.spool.owedSeqs("a") == [1, 2, 3, 4, 5])
    }

    @Test func `R2: Resending by hand after recovery gives results in order and an empty spool`()
        throws
    {
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(target)
        for number in 1...5 { try sender.send(object(Int64(number))) }
        #expect(sender.hasUnsentData)
        target.mode = .works
        let results = try sender.sendUnsentData()
        #expect(results.allSuccessful)
        #expect(results.map(\.returned) == (1...5).map { .int($0) })
        #expect(target.values == (1...5).map { object($0) })
        #expect(!sender.hasUnsentData)
        #expect(try sender.sendUnsentData().isEmpty)
    }

    @Test func `R3: Automatic resending gives a flat list with the new result first`() throws {
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(target, manualReexport: false)
        for number in 1...3 { try sender.send(object(Int64(number))) }
        target.mode = .works
        let results = try sender.send(object(4))
        #expect(results.map(\.returned) == [1, 2, 3, 4])
        #expect(target.taken.map(\.seq) == [4, 1, 2, 3])
    }

    @Test func `Manual resending is the standard of a single exporter`() throws {
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(target)
        try sender.send(object(1))
        target.mode = .works
        #expect(try sender.send(object(2)).count == 1)
        #expect(sender.hasUnsentData)
    }

    @Test func `R4: Automatic resending of 500 records delivers all`() throws {
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(target, manualReexport: false)
        for number in 1...500 { try sender.send(object(Int64(number))) }
        target.mode = .works
        #expect(try sender.send(object(501)).count == 501)
        #expect(target.taken.map(\.seq) == [501] + Array(1...500))
    }

    @Test func `R5: A transform is applied once, also to what is sent again`() throws {
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(
            target,
            transform: { data in
                guard case .value(.object(let fields)) = data else { return data }
                return .value(.object(fields + [JournalField("more", true)]))
            })
        let original = object(1)
        try sender.send(original)
        target.mode = .works
        try sender.sendUnsentData()
        #expect(target.values == [["n": 1, "more": true]])
        #expect(original == object(1))
    }

    @Test func `R6: A transform may change text`() throws {
        let target = FaultyExporter("a")
        let sender = try ResilientExporter(
            target,
            transform: { data in
                guard case .value(.string(let text)) = data else { return nil }
                return .value(.string(text + "!"))
            })
        try sender.send("hello")
        #expect(target.values == ["hello!"])
    }

    @Test
    func `R7: A transform that throws or gives nothing is a typed error, and nothing is stored`()
        throws
    {
        struct Flaw: Error {}
        let target = FaultyExporter("a", .isDown)
        let throwing = try ResilientExporter(target, transform: { _ in throw Flaw() })
        #expect(throws: ExportError.transformFailed(exporter: "a", reason: "Flaw()")) {
            try throwing.send("x")
        }
        let empty = try ResilientExporter(target, transform: { _ in nil })
        #expect(throws: ExportError.transformGaveNothing(exporter: "a")) { try empty.send("x") }
        #expect(!throwing.hasUnsentData && !empty.hasUnsentData && target.callCount == 0)
    }

    @Test func `R8: Null and lists are refused; bytes, numbers and an empty object are taken`()
        throws
    {
        let target = FaultyExporter("a")
        let sender = try ResilientExporter(target)
        #expect(throws: ExportError.noData) { try sender.send(.null) }
        #expect(throws: ExportError.listNotAllowed) { try sender.send([1, 2]) }
        try sender.send(.bytes([1, 2]))
        try sender.send(7)
        try sender.send(true)
        try sender.send([:])
        #expect(target.taken.count == 4)
    }

    @Test func `A timeout of zero or less is refused`() {
        #expect(throws: ExportError.self) {
            try ResilientExporter(FaultyExporter("a"), timeout: .seconds(-1))
        }
    }

    @Test func `The timeout ends a delivery that does not return, and the record is kept`() throws {
        let target = GatedExporter("slow", obeys: false)
        let sender = try ResilientExporter(target, timeout: .milliseconds(20))
        let results = try sender.send("x")
        #expect(results.map(\.successful) == [false])
        #expect(sender.hasUnsentData)
        // It came through after all: it is owed no more.
        target.open()
        let stopped = try sender.stop(within: .seconds(10))
        #expect(target.count == 1)
        #expect(stopped?.queued.records == 0)
    }

    @Test func `R21: Records on disk come back in order within a process`() throws {
        let folder = try TemporaryFolder()
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(
            target, useMemory: false, spoolDirectory: folder.file("spool"))
        for number in 1...200 { try sender.send(object(Int64(number))) }
        target.mode = .works
        #expect(try sender.sendUnsentData().count == 200)
        #expect(target.taken.map(\.seq) == Array(1...200))
    }

    @Test func `R22: Records on disk are sent by the next life`() throws {
        let folder = try TemporaryFolder()
        let down = FaultyExporter("a", .isDown)
        let first = try ResilientExporter(
            down, useMemory: false, spoolDirectory: folder.file("spool"))
        try first.send(object(1))
        try first.stop()
        let target = FaultyExporter("a")
        let second = try ResilientExporter(
            target, useMemory: false, spoolDirectory: folder.file("spool"))
        #expect(second.hasUnsentData)
        try second.sendUnsentData()
        #expect(target.values == [object(1)])
    }

    @Test func `R23: A directory is in use until its exporter is stopped, and free then`() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("spool")
        let first = try ResilientExporter(
            FaultyExporter("a"), useMemory: false, spoolDirectory: path)
        let holder = "process \(getpid()) ('a')"
        #expect(throws: SpoolError.inUse(path: path, holder: holder)) {
            try ResilientExporter(FaultyExporter("b"), useMemory: false, spoolDirectory: path)
        }
        try first.stop()
        let second = try ResilientExporter(
            FaultyExporter("b"), useMemory: false, spoolDirectory: path)
        try second.stop()
    }

    @Test func `R24: Switching between memory and disk moves the records`() throws {
        let folder = try TemporaryFolder()
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(target, spoolDirectory: folder.file("spool"))
        for number in 1...3 { try sender.send(object(Int64(number))) }
        try sender.setUseMemory(false)
        #expect(!sender.useMemory)
        #expect(sender.spool.queued("a").records == 3)
        try sender.send(object(4))
        try sender.setUseMemory(true)
        #expect(sender.spool.queued("a").records == 4)
        try sender.setUseMemory(false)
        #expect(try sender.spool.owedSeqs("a") == [1, 2, 3, 4])
        target.mode = .works
        #expect(try sender.sendUnsentData().allSuccessful)
        #expect(target.taken.map(\.seq) == [1, 2, 3, 4])
    }

    @Test func `R25: A spool on disk needs a directory that somebody named`() throws {
        #expect(throws: ExportError.self) {
            try ResilientExporter(FaultyExporter("a"), useMemory: false)
        }
        let sender = try ResilientExporter(FaultyExporter("a"))
        #expect(throws: ExportError.self) { try sender.setUseMemory(false) }
    }

    @Test(arguments: [OverflowPolicy.dropOldest, .dropNewest, .block])
    func `R26: A full spool does what its policy says, and counts`(_ policy: OverflowPolicy) throws
    {
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(
            target, timeout: .milliseconds(10),
            spoolLimits: SpoolLimits(maximumRecords: 2, whenFull: policy))
        for number in 1...3 { try sender.send(object(Int64(number))) }
        #expect(
            try sender.spool.owedSeqs("a") == (policy == .dropOldest ? [2, 3] : [1, 2]))
        let reason: DropReason =
            switch policy {
            case .dropOldest: .overflowOldest
            case .dropNewest: .overflowNewest
            case .block: .blockedTooLong
            }
        #expect(sender.status.dropped == [reason: 1])
        #expect(sender.status.state == (policy == .block ? .blocked : .retrying))
    }

    @Test func `Nothing is saved where saving is off, and that is counted`() throws {
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(target, saveUnsentData: false)
        try sender.send(object(1))
        #expect(!sender.hasUnsentData)
        #expect(sender.status.dropped == [.notSaved: 1])
    }

    @Test func `What is saved by hand is sent as it is`() throws {
        let target = FaultyExporter("a")
        let sender = try ResilientExporter(target, transform: { _ in .value("changed") })
        try sender.saveUnsentData(.value("kept"))
        try sender.sendUnsentData()
        #expect(target.values == ["kept"])
    }

    @Test func `A record that can never succeed is a dead letter and holds up nothing`() throws {
        let folder = try TemporaryFolder()
        let target = FaultyExporter("a", .isDown)
        let sender = try ResilientExporter(
            target, manualReexport: true,
            deadLetters: DeadLetters(path: folder.file("dead.jsonl")))
        try sender.send(object(1))
        target.mode = .refuses
        try sender.sendUnsentData()
        try sender.send(object(2))
        #expect(!sender.hasUnsentData)
        #expect(sender.status.deadLetters == 2)
        let lines = try folder.text(of: "dead.jsonl").split(separator: "\n")
        let first = try #require(JournalValue(json: String(lines[0])))
        #expect(lines.count == 2 && first["data"] == object(1))
        #expect(first["reason"] == "a refuses it" && first["seq"] == 1)
    }

    @Test func `Dead letters beyond the size of their file are counted`() throws {
        let folder = try TemporaryFolder()
        let letters = DeadLetters(path: folder.file("dead.jsonl"), maximumBytes: 300)
        let sender = try ResilientExporter(FaultyExporter("a", .refuses), deadLetters: letters)
        for number in 1...5 { try sender.send(object(Int64(number))) }
        let status = sender.status
        #expect(status.deadLetters == 1 && status.dropped == [.deadLetterNotKept: 4])
        #expect(try folder.bytes(of: "dead.jsonl").count <= 300)
    }

    @Test func `After stopping nothing is taken any more`() throws {
        let target = FaultyExporter("a")
        let sender = try ResilientExporter(target)
        try sender.stop()
        #expect(target.isClosed)
        #expect(throws: ExportError.stopped(exporter: "a")) { try sender.send("x") }
    }
}
