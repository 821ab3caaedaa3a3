internal import Glibc
internal import Pipes
internal import Synchronization
internal import Wire
internal import WorkerProtocol

/// The running process of a worker: its link with the buffers of the messages both ways.
final class WorkerProcess {
    let link: any WorkerLink
    /// Whether its input is open.
    var inputIsOpen = true
    var decoder = MessageDecoder()
    /// Messages that are not yet in `outgoing`.
    var writer = ByteWriter()
    var outgoing = OutgoingBuffer(maximumByteCount: 64 << 20)
    var isWaitingToWrite = false
    var outputEnded = false
    var errorsEnded = false
    /// The beginning of a line of which the end has not come.
    var unfinishedLine: [UInt8] = []
    /// Bytes of whole lines that could not be kept, since the log was told last.
    var lostLogByteCount = 0
    /// A message whose payload is still coming.
    var incoming: IncomingPayload?
    /// A result that waits for memory; nothing is read from the worker as long as it does.
    var waiting: WaitingPayload?

    init(_ link: any WorkerLink) { self.link = link }
}

/// A result with a payload for which there is no memory yet.
struct WaitingPayload {
    var requestId: UInt64
    var result: FrameResult
    var byteCount: Int
}

/// A message whose payload is being read.
struct IncomingPayload {
    var requestId: UInt64
    var result: FrameResult
    var buffer: InlineBuffer
    var filled: Int
}

/// One place for a worker in a stage; its processes come and go.
final class Worker {
    /// Place in the run, from 0.
    let id: Int
    /// Place of its stage, and its place in it.
    let stage: Int
    let placeInStage: Int
    /// Number of processes before this one.
    var incarnation = 0
    var machine = WorkerStateMachine(versions: ProtocolVersion.spoken)
    var process: WorkerProcess?
    /// Process id of the last process.
    var processId: Int32 = 0
    /// Monotonic nanoseconds at which the state it is in has lasted too long; nil: it may last.
    var deadline: UInt64?
    /// A pipe that it closed, and until when its end is waited for, which would say more: a process
    /// that dies closes its pipes a moment before it can be collected.
    var closedPipe: (name: String, deadline: UInt64)?
    /// Monotonic nanoseconds at which it is to be spawned again; nil: it is not.
    var respawnAt: UInt64?
    /// What went wrong since it finished a frame last.
    var failures = FruitlessCount()
    /// Frames finished in this life.
    var finishedFrames: UInt64 = 0
    /// Frames that wait for this very worker (policy `hash`).
    var queue = IndexQueue()
    /// The version of the protocol that it chose.
    var protocolVersion: UInt16 = 0
    /// What it can do beyond the minimum.
    var capabilities: Capabilities = []
    /// The dispatch that it said it had begun, and when: for workers without a status page. 0 once its
    /// result has come.
    var startedRequestId: UInt64 = 0
    var startedAt: UInt64 = 0
    /// Frames that it gave back in this life, with whatever outcome.
    var answerCount: UInt64 = 0
    /// When its last message came.
    var heardAt: UInt64 = 0
    /// Since when it owes an answer to a command, and to one that changes something; nil: it owes none.
    /// True only while workers are being looked at.
    var oldestDebt: UInt64?
    var oldestChange: UInt64?
    /// When its memory was last seen below the limit.
    var memorySeenAt: UInt64 = 0
    /// Whether it gets on, from `start` on.
    var watch = WorkerWatch(startedAt: 0)
    /// What is wrong with it in this life; nil as long as nothing is.
    var fault: WorkerFault?
    /// Whether it refused to start its chain (the reason is the user's, not the executable's).
    var startRefused = false
    /// Why it could not prepare an accepted change, as the end of a sentence; nil when it could.
    var changeFailure: String?
    /// Whether it was killed because the run ends at once.
    var wasKilled = false
    /// Whether its buffer has bytes to be written in this turn.
    var isDirty = false
    /// The last lines it printed, for the message when it dies.
    var lastLines: [String] = []
    /// Nanoseconds in processors at the last two gatherings.
    var busyNanoseconds: UInt64 = 0
    var load = 0.0
    /// Its counters when they came last.
    var counters: [String: Double] = [:]

    init(id: Int, stage: Int, placeInStage: Int) {
        self.id = id
        self.stage = stage
        self.placeInStage = placeInStage
    }

    /// How people call it.
    var name: String { "worker \(id)" }
}

/// How often a worker ended in a row without finishing a frame. Lives that a bad frame took are that frame's:
/// its quarantine begins the count of lives anew, and is counted itself.
struct FruitlessCount: Equatable {
    /// Lives since a frame was finished or quarantined.
    private(set) var lives = 0
    /// Quarantines since a frame was finished.
    private(set) var convictions = 0

    /// The larger count, which has a limit.
    var worst: Int { max(lives, convictions) }

    /// Lives that ended without a frame while the stage was held, since the last of another kind.
    private(set) var livesOnHold = 0

    /// A life has ended in which so many frames were finished; with `isConviction` its last one took down as
    /// many workers as a frame may. While the stage `isHeld` nobody finishes frames: how long that may last is
    /// the matter of `stallTimeLimit`, and both counts stay as they are.
    mutating func add(finishedFrames: UInt64, isConviction: Bool, isHeld: Bool) {
        if finishedFrames > 0 { (lives, convictions) = (0, 0) }
        if isHeld {
            livesOnHold = finishedFrames > 0 ? 0 : livesOnHold + 1
            return
        }
        livesOnHold = 0
        if isConviction {
            lives = 0
            convictions += 1
        } else if finishedFrames == 0 {
            lives += 1
        }
    }
}
