internal import Synchronization

/// A journal in files: its history, and as long as somebody writes it what comes. It costs the writer nothing
/// and loses nothing however slow its reader is, but for files that are removed under it, which a `truncate`
/// event tells.
public struct JournalFileTransport: JournalTransport {
    /// Events in a response, at most: what is decoded between two looks at whether anybody still wants them.
    public static let responseCount = 256

    /// The path of the file that is written to.
    public let path: String
    private let isLive: @Sendable () -> Bool

    /// The journal at `path`. It is followed for as long as `isLive` says that events may come; then the stream
    /// ends after the last one. While it is live the file need not be there yet.
    public init(path: String, isLive: @escaping @Sendable () -> Bool) {
        self.path = path
        self.isLive = isLive
    }

    /// The journal at `path`: without `follows` what is there now, with it until the stream is cancelled.
    public init(path: String, follows: Bool) {
        self.init(path: path) { follows }
    }

    /// The events that a payload asks for.
    public func open(_ payload: JournalValue) throws -> any JournalResponseStream {
        let request = try JournalRequest(payload: payload)
        return try JournalFileStream(path, request, isLive)
    }
}

private final class JournalFileStream: JournalResponseStream {
    private struct State: ~Copyable {
        var reader: JournalReader?
        var watch: FileWatch
        var isHistoryTold = false
        var isOver = false
        /// The last event that is still read after the end was asked for.
        var lastWanted: UInt64?
    }

    private let path: String
    private let request: JournalRequest
    private let isLive: @Sendable () -> Bool
    private let isCancelled = Atomic(false)
    private let wakeDescriptor: Int32
    // Held by `next` while it waits; nobody else takes it.
    private let state: Mutex<State>

    init(
        _ path: String, _ request: JournalRequest, _ isLive: @escaping @Sendable () -> Bool
    ) throws(JournalError) {
        self.path = path
        self.request = request
        self.isLive = isLive
        let watch = try FileWatch()
        wakeDescriptor = watch.wakeDescriptor
        let reader = try Self.reader(path, request, isLive)
        state = Mutex(State(reader: reader, watch: watch))
    }

    /// nil where there is no journal yet.
    private static func reader(
        _ path: String, _ request: JournalRequest, _ isLive: () -> Bool
    ) throws(JournalError) -> JournalReader? {
        let isLive = isLive()
        do throws(JournalError) {
            if let seq = request.seq { return try JournalReader(path: path, after: seq) }
            if !request.full { return try JournalReader(atEndOf: path) }
            return try JournalReader(path: path, after: 0)
        } catch {
            if isLive, error.isMissingFile { return nil }
            throw error
        }
    }

    func cancel() {
        isCancelled.store(true, ordering: .releasing)
        FileWatch.wake(wakeDescriptor)
    }

    func next() throws -> JournalResponse? {
        try state.withLock { state in
            while !state.isOver {
                // Before reading: what is recorded until then is read, too.
                let isLast = !isLive()
                if let response = try read(&state) { return response }
                if isLast || state.lastWanted != nil {
                    state.isOver = true
                    // A stream that was cut short says nothing of the end of history.
                    guard isLast, !state.isHistoryTold else { break }
                    state.isHistoryTold = true
                    return JournalResponse()
                }
                if !state.isHistoryTold {
                    state.isHistoryTold = true
                    return JournalResponse()
                }
                try wait(&state)
            }
            return nil
        }
    }

    /// The next events that are wanted; nil when there are none now.
    private func read(_ state: inout State) throws(JournalError) -> JournalResponse? {
        if state.reader == nil { state.reader = try reopened() }
        while true {
            if isCancelled.load(ordering: .acquiring) { try endAtPresent(&state) }
            var notice: JournalEvent?
            var events: [JournalEvent]
            do throws(JournalError) {
                events = try Self.readSome(&state)
            } catch {
                guard case .eventsRemoved(_, let first, let last) = error else { throw error }
                events = try Self.readSome(&state)
                // Nobody knows when they happened; it was not after the event that follows.
                let time = events.first?.timestamp ?? request.since
                notice = time > request.since ? .removed(first: first, last: last, at: time) : nil
            }
            if events.isEmpty { return nil }
            if let last = state.lastWanted {
                events.removeAll { $0.seq > last }
                if events.isEmpty { return nil }
            }
            let wanted = (notice.map { [$0] } ?? []) + events.filter { request.takes($0) }
            if !wanted.isEmpty { return JournalResponse(wanted) }
        }
    }

    private static func readSome(_ state: inout State) throws(JournalError) -> [JournalEvent] {
        try state.reader?.readNew(maximumCount: JournalFileTransport.responseCount) ?? []
    }

    private func reopened() throws(JournalError) -> JournalReader? {
        // A journal that begins after the request has no history before it.
        var request = request
        request.full = true
        return try Self.reader(path, request, isLive)
    }

    /// From here on only what is recorded by now is read.
    private func endAtPresent(_ state: inout State) throws(JournalError) {
        guard state.lastWanted == nil else { return }
        do throws(JournalError) {
            state.lastWanted = try JournalReader(atEndOf: path).lastSeq ?? 0
        } catch {
            guard error.isMissingFile else { throw error }
            state.lastWanted = 0
        }
    }

    private func wait(_ state: inout State) throws(JournalError) {
        guard let identity = try state.reader?.identity(), let number = state.reader?.descriptor
        else { return state.watch.wait(for: nil) }
        state.watch.wait(for: (identity, number))
    }
}

extension JournalError {
    /// Whether there is no file.
    var isMissingFile: Bool {
        if case .system("open", _, let number) = self { number == noSuchFile } else { false }
    }
}
