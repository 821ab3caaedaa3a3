import Glibc
import Journal
import TestSupport
import Testing

@testable import Telemetry

@Suite(.timeLimit(.minutes(1))) struct FileExporterTests {
    let folder: TemporaryFolder
    let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("out.txt")
    }

    private func text(_ text: String, _ seq: UInt64 = 1) -> ExportRecord {
        ExportRecord(
            source: "s", seq: seq, timestampNanoseconds: 0, data: .value(.string(text)))
    }

    @discardableResult
    private func send(_ exporter: FileExporter, _ texts: String...) -> [Bool] {
        let records = texts.enumerated().map { text($0.element, UInt64($0.offset) + 1) }
        return exporter.deliver(records, within: .seconds(1)).map { $0 == .delivered(.null) }
    }

    @Test func `Text is a line as it is, an object compact JSON, bytes are bytes`() throws {
        let exporter = try FileExporter(path)
        let data: [ExportData] = [
            .value("a b"), .value(["x": 1, "y": [true, nil]]), .bytes(Array("raw\nlines\n".utf8)),
            .value(7),
        ]
        let records = data.map {
            ExportRecord(source: "s", seq: 1, timestampNanoseconds: 0, data: $0)
        }
        let outcomes = exporter.deliver(records, within: .seconds(1))
        #expect(outcomes == [ExportOutcome](repeating: .delivered(.null), count: 4))
        #expect(
            try folder.text(of: "out.txt") == "a b\n{\"x\":1,\"y\":[true,null]}\nraw\nlines\n7\n")
    }

    @Test func `R28: Lines that were in the file count against the maximum`() throws {
        try folder.write("one\ntwo\n", to: "out.txt")
        let exporter = try FileExporter(path, maxLines: 3)
        #expect(exporter.remainingLines == 1)
        #expect(send(exporter, "three", "four") == [true, false])
        #expect(exporter.remainingLines == 0)
        #expect(try folder.text(of: "out.txt") == "one\ntwo\nthree\n")
    }

    @Test func `Of 101 records exactly those that were successful are in a file of 100 lines`()
        throws
    {
        let exporter = try FileExporter(path, maxLines: 100)
        let sender = try ResilientExporter(exporter)
        let results = try (0..<101).flatMap { try sender.send(.string("line \($0)")) }
        #expect(results.filter(\.successful).count == 100)
        let lines = try folder.text(of: "out.txt").split(separator: "\n")
        #expect(lines.map(String.init) == (0..<100).map { "line \($0)" })
        #expect(sender.hasUnsentData)
    }

    @Test func `Without appending the file is emptied`() throws {
        try folder.write("old\n", to: "out.txt")
        send(try FileExporter(path, append: false), "new")
        #expect(try folder.text(of: "out.txt") == "new\n")
    }

    @Test(arguments: [false, true])
    func `R29: Success means that the line is in the file`(_ syncs: Bool) throws {
        let exporter = try FileExporter(path, syncs: syncs)
        #expect(send(exporter, "now") == [true])
        #expect(try folder.text(of: "out.txt") == "now\n")
    }

    @Test func `R30: A file in a folder that is not there is one clear error`() {
        let missing = folder.file("no/out.txt")
        let error = #expect(throws: ExportError.self) { try FileExporter(missing) }
        #expect(error?.description.contains("No such file or directory") == true)
        #expect(error?.description.contains(missing) == true)
    }

    @Test func `After stopping nothing is taken, after starting again it is`() throws {
        let exporter = try FileExporter(path)
        send(exporter, "a")
        exporter.stop()
        #expect(send(exporter, "b") == [false])
        try exporter.start()
        #expect(send(exporter, "c") == [true])
        #expect(try folder.text(of: "out.txt") == "a\nc\n")
    }

    @Test func `A file that is large enough gets a number, and the oldest goes`() throws {
        let exporter = try FileExporter(
            path, rotation: .init(maximumBytes: 10, keptFileCount: 2))
        for line in ["1111", "2222", "3333", "4444", "5555", "6666", "7777"] {
            #expect(send(exporter, line) == [true])
        }
        #expect(try folder.files() == ["out.txt", "out.txt.1", "out.txt.2"])
        #expect(try folder.text(of: "out.txt") == "7777\n")
        #expect(try folder.text(of: "out.txt.1") == "5555\n6666\n")
        #expect(try folder.text(of: "out.txt.2") == "3333\n4444\n")
    }

    @Test func `A batch larger than a file is spread over several`() throws {
        let exporter = try FileExporter(
            path, rotation: .init(maximumBytes: 10, keptFileCount: 9))
        let done = send(exporter, "1111", "2222", "3333", "a line longer than the limit", "5")
        #expect(done == [true, true, true, true, true])
        #expect(try folder.text(of: "out.txt.3") == "1111\n2222\n")
        #expect(try folder.text(of: "out.txt.2") == "3333\n")
        #expect(try folder.text(of: "out.txt.1") == "a line longer than the limit\n")
        #expect(try folder.text(of: "out.txt") == "5\n")
    }

    @Test
    func `Exactly once: a record that comes again is not written again, after reopening either`()
        throws
    {
        var exporter = try FileExporter(path, isExactlyOnce: true)
        #expect(send(exporter, "a", "b") == [true, true])
        #expect(send(exporter, "a", "b", "c") == [true, true, true])
        exporter.stop()
        exporter = try FileExporter(path, isExactlyOnce: true)
        #expect(send(exporter, "a", "b", "c", "d") == [true, true, true, true])
        #expect(try folder.text(of: "out.txt") == "a\nb\nc\nd\n")
    }

    @Test func `Exactly once: killed between the lines and the account, at every byte`() throws {
        let first = try FileExporter(path, isExactlyOnce: true)
        send(first, "a")
        first.stop()
        let account = try folder.bytes(of: "out.txt.delivered")
        let second = try FileExporter(path, isExactlyOnce: true)
        send(second, "a", "b", "c")
        second.stop()
        let whole = try folder.bytes(of: "out.txt.delivered")
        for count in account.count...whole.count {
            try folder.write(whole[..<count], to: "out.txt.delivered")
            try folder.write("a\nb\nc\n", to: "out.txt")
            let exporter = try FileExporter(path, isExactlyOnce: true)
            #expect(send(exporter, "a", "b", "c", "d").allSatisfy { $0 })
            #expect(try folder.text(of: "out.txt") == "a\nb\nc\nd\n", "byte \(count)")
            exporter.stop()
        }
    }

    @Test func `Exactly once: rotation keeps the account`() throws {
        var exporter = try FileExporter(
            path, rotation: .init(maximumBytes: 4, keptFileCount: 9), isExactlyOnce: true)
        #expect(send(exporter, "a", "b", "c").allSatisfy { $0 })
        exporter.stop()
        exporter = try FileExporter(
            path, rotation: .init(maximumBytes: 4, keptFileCount: 9), isExactlyOnce: true)
        #expect(send(exporter, "a", "b", "c", "d").allSatisfy { $0 })
        #expect(try folder.text(of: "out.txt.1") == "a\nb\n")
        #expect(try folder.text(of: "out.txt") == "c\nd\n")
    }

    @Test func `Settings that can't be are refused`() {
        #expect(throws: ExportError.self) { try FileExporter(path, maxLines: 0) }
        #expect(throws: ExportError.self) {
            try FileExporter(path, rotation: .init(maximumBytes: 0, keptFileCount: 1))
        }
        #expect(throws: ExportError.self) {
            try FileExporter(path, rotation: .init(maximumBytes: 1, keptFileCount: -1))
        }
    }

    @Test func `Standard output gets lines; a reader that is gone is a failure and no signal`()
        throws
    {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let sender = try ResilientExporter(
            StandardOutputExporter(name: "stdout", descriptor: ends[1]))
        #expect(try sender.send(["a": 1]).allSuccessful)
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = read(ends[0], &bytes, 100)
        #expect(String(decoding: bytes[..<count], as: UTF8.self) == "{\"a\":1}\n")
        close(ends[0])
        #expect(try sender.send("b").map(\.reason) == ["standard output: Broken pipe"])
        close(ends[1])
    }
}
