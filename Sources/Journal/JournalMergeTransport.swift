/// Several journals in one stream: the history of all, the end of history when all have told theirs, then what
/// happens, as it comes.
///
/// The response of a journal carries its name as `source`, and in its extras as `run`.
public struct JournalMergeTransport: JournalTransport {
    /// Most journals in one stream: each has a thread that waits for it.
    public static let maximumSourceCount = 64
    /// Responses that wait to be taken, at most; then the threads wait.
    static let queueCount = 64

    private let sources: [(name: String, transport: any JournalTransport)]

    /// The journals, each with a name that the others don't have.
    ///
    /// - Throws: `JournalConsumerError.badRequest` when there are none, too many, or two of one name.
    public init(
        _ sources: [(name: String, transport: any JournalTransport)]
    ) throws(JournalConsumerError) {
        guard (1...Self.maximumSourceCount).contains(sources.count) else {
            throw .badRequest(
                "it is about \(sources.count) journals: give 1 to \(Self.maximumSourceCount)")
        }
        guard Set(sources.map(\.name)).count == sources.count else {
            throw .badRequest("two journals have the same name: give each its own")
        }
        self.sources = sources
    }

    /// The events of all that a payload asks for; in `cursors`, an object of names, it may have a `seq` for
    /// each.
    public func open(_ payload: JournalValue) throws -> any JournalResponseStream {
        var request = try JournalRequest(payload: payload)
        let stream = JournalMergeStream(count: sources.count)
        do {
            for (index, source) in sources.enumerated() {
                switch payload["cursors"]?[source.name] {
                case .int(let seq)? where seq >= 0: request.seq = UInt64(seq)
                case .uint(let seq)?: request.seq = seq
                default: request.seq = nil
                }
                let child = try source.transport.open(request.payload)
                try stream.add(child, index, name: source.name)
            }
        } catch {
            stream.cancel()
            throw error
        }
        return stream
    }
}

private final class JournalMergeStream: JournalResponseStream {
    private struct State {
        var children: [any JournalResponseStream] = []
        var responses: [JournalResponse] = []
        /// Journals whose history is not over.
        var inHistory: Set<Int>
        var isHistoryTold = false
        var openCount: Int
        var problem: (any Error)?
        var isCancelled = false
    }

    private let monitor: Monitor<State>

    init(count: Int) {
        monitor = Monitor(State(inHistory: Set(0..<count), openCount: count))
    }

    func add(
        _ child: any JournalResponseStream, _ index: Int, name: String
    ) throws(JournalConsumerError) {
        monitor.withLock { $0.children.append(child) }
        let monitor = monitor
        let code = DetachedThread.start {
            do {
                while let response = try child.next() {
                    Self.take(response, index, name, monitor)
                }
                Self.leave(index, nil, monitor)
            } catch {
                Self.leave(index, error, monitor)
            }
        }
        if code != 0 { throw .unavailable("the system has no thread left") }
    }

    private static func take(
        _ response: JournalResponse, _ index: Int, _ name: String, _ monitor: Monitor<State>
    ) {
        var response = response
        response.source = name
        response.extras.append(JournalField("run", .string(name)))
        let isTaken = monitor.wait { state -> Bool? in
            if response.events.isEmpty {
                state.inHistory.remove(index)
                return true
            }
            guard state.responses.count < JournalMergeTransport.queueCount || state.isCancelled
            else { return nil }
            state.responses.append(response)
            return true
        }
        assert(isTaken == true, "a wait without a deadline gives something")
    }

    private static func leave(_ index: Int, _ problem: (any Error)?, _ monitor: Monitor<State>) {
        monitor.change { state in
            state.inHistory.remove(index)
            state.openCount -= 1
            if state.problem == nil { state.problem = problem }
        }
    }

    func next() throws -> JournalResponse? {
        let step = monitor.wait { state -> Step? in
            if !state.responses.isEmpty { return .response(state.responses.removeFirst()) }
            if state.problem != nil { return .problem(state.problem) }
            if state.inHistory.isEmpty, !state.isHistoryTold {
                state.isHistoryTold = true
                return .response(JournalResponse())
            }
            return state.openCount == 0 ? .end : nil
        }
        switch step {
        case .response(let response): return response
        case .problem(let problem?):
            cancel()
            throw problem
        case .problem(nil), .end, nil: return nil
        }
    }

    func cancel() {
        let children = monitor.change { state in
            state.isCancelled = true
            return state.children
        }
        for child in children { child.cancel() }
    }

    private enum Step {
        case response(JournalResponse)
        case problem((any Error)?)
        case end
    }
}
