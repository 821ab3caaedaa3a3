internal import Pipes

/// What the engine needs of the system: time, events, processes, and a thread for the source.
///
/// Everything that the engine does beyond computing goes through this, through the links that `spawn`
/// gives, through the committer and through the intake; so that all of it can run in memory, with a
/// clock that is moved by hand. Calls cost what their system call costs; there is none per frame.
protocol EngineSystem: AnyObject {
    /// Nanoseconds of the monotonic clock.
    func now() -> UInt64

    /// Waits until something happens or `timeoutMilliseconds` have passed (0: looks only) and puts
    /// what happened into `events`, in place of what was in it.
    func wait(timeoutMilliseconds: Int32, _ events: inout [EngineEvent]) throws

    /// Starts a worker's process; its events come with the number of the worker.
    func spawn(_ order: WorkerSpawn) throws -> any WorkerLink

    /// From now on this process leaves no core dump, and others of this user can't read its memory: frames
    /// that are secret pass through it. False where the system refused.
    func forbidDumps() -> Bool

    /// Lets a source run on its own; it meets the engine in its intake.
    func startSource(_ driver: SourceDriver) throws
}

/// What the engine waits for.
enum EngineEvent: Equatable, Sendable {
    /// The flag of the mailbox is up.
    case mailbox
    /// A worker's pipe or process is ready.
    case worker(Int, WorkerDescriptor)
}

/// What can be ready of a worker.
enum WorkerDescriptor: UInt64, Sendable {
    /// Messages from it, or their end.
    case output = 0
    /// Room for messages to it, after `watchInput`.
    case input = 1
    /// Lines that it printed, or their end.
    case errors = 2
    /// Its process has ended.
    case process = 3
}

/// A worker process to be started.
struct WorkerSpawn {
    /// First descriptor in a worker after the standard ones.
    static let firstSharedDescriptor: Int32 = 3

    /// Number of the worker in the run.
    var worker: Int
    /// Path of the program.
    var executable: String
    /// Descriptors that it inherits, from `firstSharedDescriptor` on.
    var shared: [Int32]
    /// Whether it inherits a status page, behind those.
    var hasStatusPage: Bool
}

/// One running process of a worker with its pipes. No call waits.
protocol WorkerLink: AnyObject, ByteSink {
    /// Number of the process.
    var processId: Int32 { get }

    /// The word of its status page at a byte offset; nil without a page.
    func statusWord(_ byteOffset: Int) -> UInt64?

    /// Bytes of memory that are its own, shared pages not counted; nil when nobody can say. A few system
    /// calls.
    func ownMemoryByteCount() -> UInt64?

    /// Reads messages of it into `space`, which is not empty.
    func read(into space: UnsafeMutableRawBufferPointer) throws(PipeError) -> ReadResult

    /// Reads what it printed into `space`, which is not empty.
    func readErrors(into space: UnsafeMutableRawBufferPointer) throws(PipeError) -> ReadResult

    /// Whether an event is wanted as long as its input has room.
    func watchInput(_ isWanted: Bool) throws(PipeError)

    /// Closes its input, once.
    func closeInput()

    /// Whether an event is wanted when messages of it can be read; at first it is.
    func watchOutput(_ isWanted: Bool) throws(PipeError)

    /// No event of its output is wanted any more.
    func endOutput()

    /// No event of what it prints is wanted any more.
    func endErrors()

    /// Ends the process and what it started, as soon as the system gets to it.
    func kill() throws(PipeError)

    /// How the process ended; nil while it runs. Then it is collected.
    func reap() throws(PipeError) -> ExitStatus?

    /// No event is wanted any more: its process was collected.
    func release()
}

/// The committer as the engine sees it.
protocol CommitQueue: AnyObject {
    /// Hands jobs over and empties `jobs`.
    func submit(_ jobs: inout [CommitJob])

    /// Takes what has been committed since the last call.
    func takeOutcomes() -> [CommitOutcome]

    /// Whether so many closings wait to be written that no more frames should be handed out; the engine is
    /// woken when that ends.
    var isBehind: Bool { get }

    /// Bytes of the log that wait to be written.
    var waitingLogByteCount: Int { get }

    /// Why the records can't be written now, or what of them was lost; nil when all is well.
    var problem: String? { get }

    /// Why the ledger can't be written now; nil when it can.
    var stall: String? { get }

    /// Why the ledger could not be written for so long that the run has to end; nil when it could.
    var surrender: String? { get }

    /// The run ends at once: a ledger without room is not waited for much longer.
    func hasten()
}

/// A committer that is never at a loss.
extension CommitQueue {
    var isBehind: Bool { false }
    var waitingLogByteCount: Int { 0 }
    var problem: String? { nil }
    var stall: String? { nil }
    var surrender: String? { nil }
    func hasten() {}
}

extension Committer: CommitQueue {}
