internal import CLinux
internal import Glibc
internal import Pipes
internal import Synchronization

/// Answers those who ask about a run from outside: a Unix stream socket in the run directory, one
/// JSON object a line each way, served by one thread.
///
/// Requests of one client are carried out one after the other; each is answered when it has been
/// carried out.
package final class ControlServer: Sendable {
    private let mailbox: ControlMailbox

    /// Binds the socket of `directory` (whose lock says that an old one is stale) and begins to
    /// serve. The server keeps `handler` alive until it is closed.
    ///
    /// - Throws: `ControllerError(.resources)` when a socket or a thread can't be had.
    package init(
        in directory: RunDirectory, handler: any ControlHandler
    ) throws(ControllerError) {
        ProcessSignals.ignoreBrokenPipe()
        do {
            let mailbox = try ControlMailbox()
            let listener = ListenerHandOver(try ControlSocket.listen(in: directory.descriptor))
            _ = try NamedThread(name: "control") {
                guard let listener = listener.take() else { return }
                ControlServerLoop.serve(
                    listener: listener, directory: directory, handler: handler, mailbox: mailbox)
            }
            self.mailbox = mailbox
        } catch {
            throw ControllerError(
                .resources,
                "the control socket of the run directory \(directory.path) can't be made: \(error)")
        }
    }

    deinit { mailbox.askToClose() }

    /// Says that the journal has an event more; costs no more than a look at a number where nobody follows it.
    package func announce(event seq: UInt64) { mailbox.announce(event: seq) }

    /// Ends the service: no new requests are taken, answers that are under way get up to
    /// `ControlLimits.closingTime`; the socket is removed.
    package func close() async { await mailbox.close() }
}

/// Hands the listener on to the thread, the only one to take it.
private final class ListenerHandOver: Sendable {
    private let number: Mutex<Int32?>

    init(_ listener: consuming OwnedDescriptor) { number = Mutex(listener.release()) }

    deinit { _ = take() }

    func take() -> OwnedDescriptor? {
        number.withLock { $0.take() }.map { OwnedDescriptor(owning: $0) }
    }
}

/// What other threads leave for the thread of the server.
final class ControlMailbox: Sendable {
    /// A response on its way to a client.
    struct Letter: Sendable {
        let client: UInt64
        let line: [UInt8]
    }

    private struct State {
        var letters: [Letter] = []
        var isClosing = false
        var isClosed = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    /// The last event of the journal, as far as was announced.
    let lastSeq = Atomic<UInt64>(0)
    /// Streams of events that wait for it.
    let streamCount = Atomic(0)
    /// Up when something was left.
    let flag: EventFlag

    init() throws(PipeError) { flag = try EventFlag() }

    /// Leaves a response for `client`.
    func post(_ letter: Letter) {
        state.withLock { $0.letters.append(letter) }
        flag.signal()
    }

    /// An event was recorded. Whoever follows the journal counts itself before it reads, so that either it reads
    /// this event or is seen here.
    func announce(event seq: UInt64) {
        lastSeq.store(seq, ordering: .sequentiallyConsistent)
        if streamCount.load(ordering: .sequentiallyConsistent) > 0 { flag.signal() }
    }

    /// Everything that was left since the last call, and whether the service shall end.
    func take() -> (letters: [Letter], isClosing: Bool) {
        state.withLock { state in
            defer { state.letters = [] }
            return (state.letters, state.isClosing)
        }
    }

    func askToClose() {
        state.withLock { $0.isClosing = true }
        flag.signal()
    }

    /// Asks for the end and waits for it.
    func close() async {
        askToClose()
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                if !state.isClosed { state.waiters.append(continuation) }
                return state.isClosed
            }
            if isClosed { continuation.resume() }
        }
    }

    /// Told by the thread when it has ended.
    func markClosed() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
