// `@testable` because the line of an event is written by the journal alone.
@testable import Journal

/// A journal. Control byte: where it is cut in two.
enum JournalFiles: FuzzTarget {
    nonisolated(unsafe) private static let file = MemoryFile()

    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        var input = FuzzInput(bytes)
        let cut = min(input.rest.count, Int(input.byte()) * 4)
        let text = input.rest
        file.store(text)
        let whole = try Reading(path: file.path)
        try expectSameInParts(whole, text, cut: min(cut, text.count))
        for event in whole.events { try expectSameLine(event) }
        try expectGoesOn(after: whole, text)
    }

    /// What a reader gave, and how it ended.
    private struct Reading: Equatable {
        var events: [JournalEvent] = []
        var error: JournalError?

        init(path: String) throws {
            var reader = try JournalReader(path: path)
            readAll(&reader, maximumCount: .max)
        }

        init() {}

        mutating func readAll(_ reader: inout JournalReader, maximumCount: Int) {
            do throws(JournalError) {
                while true {
                    let new = try reader.readNew(maximumCount: maximumCount)
                    if new.isEmpty { return }
                    events += new
                }
            } catch {
                self.error = error
            }
        }
    }

    /// A journal that grows is read as one that is there.
    private static func expectSameInParts(
        _ whole: Reading, _ text: UnsafeRawBufferPointer, cut: Int
    ) throws {
        file.store(UnsafeRawBufferPointer(rebasing: text[..<cut]))
        var parts = Reading()
        var reader = try JournalReader(path: file.path)
        parts.readAll(&reader, maximumCount: 2)
        file.append(UnsafeRawBufferPointer(rebasing: text[cut...]))
        if parts.error == nil { parts.readAll(&reader, maximumCount: 1) }
        try expect(parts == whole, "a journal that grows is read alike", [whole, parts])
    }

    /// An event is written as a line that holds it.
    private static func expectSameLine(_ event: JournalEvent) throws {
        let line: [UInt8]
        do throws(JournalError) {
            line = try event.line()
        } catch {
            // Escapes make a line longer, and a context may nest as deep as the line around it.
            switch error {
            case .lineTooLong, .nestedTooDeep: return
            default: throw Finding("an event that was read is a line", [event, error])
            }
        }
        var expected = event
        expected.timestamp = wholeMicroseconds(event.timestamp)
        do {
            let again = try JournalEvent(line: line.dropLast())
            try expect(again == expected, "a line holds its event", [expected, again])
            try expect(try again.line() == line, "an event has one line", [again])
        } catch let error as JSONFlaw {
            throw Finding("a line that was written can be read", [event, error])
        }
    }

    /// A writer goes on where a journal ends.
    private static func expectGoesOn(
        after whole: Reading, _ text: UnsafeRawBufferPointer
    ) throws {
        file.store(text)
        do {
            let writer = try JournalWriter(path: file.path, now: { 1 })
            let recorded = try writer.record("go-on")
            try writer.close()
            // A writer looks at the last line only.
            guard whole.error == nil else { return }
            let after = try Reading(path: file.path)
            try expect(
                after.error == nil && after.events.last == recorded
                    && after.events.starts(with: whole.events),
                "what is written goes on after what is there", [whole, after])
        } catch let error as JournalError {
            // So many numbers are a damage that a reader need not see.
            let isOver = whole.events.last.map { $0.seq > UInt64(Int64.max) } ?? false
            try expect(
                whole.error != nil || isOver, "a journal that is read can be gone on with", [error])
        }
    }
}
