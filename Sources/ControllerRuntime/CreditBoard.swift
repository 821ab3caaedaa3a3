/// Which worker takes the next frame: in constant time, whatever the number of workers.
///
/// Workers with credit are kept in rings by the number of frames they have in flight; the worker at
/// the head of the lowest ring that is not empty is the least loaded, and goes behind the others of
/// its new ring when it gets a frame.
struct CreditBoard {
    private static let none = -1

    private let credit: Int
    private var load: [Int]
    private var isOpen: [Bool]
    private var next: [Int]
    private var previous: [Int]
    private var heads: [Int]
    private var lowest = 0
    private var openWithCredit = 0
    private var turn = 0

    /// A board for `workerCount` workers with room for `credit` frames each; all are closed.
    init(workerCount: Int, credit: Int) {
        self.credit = credit
        load = Array(repeating: 0, count: workerCount)
        isOpen = Array(repeating: false, count: workerCount)
        next = Array(repeating: Self.none, count: workerCount)
        previous = next
        heads = Array(repeating: Self.none, count: credit + 1)
    }

    /// Frames that a worker has in flight.
    func load(of worker: Int) -> Int { load[worker] }

    /// Frames that the open workers could take now.
    private(set) var freeCredit = 0

    /// Frames that all workers have in flight.
    private(set) var totalLoad = 0

    /// Whether a worker is open and has credit.
    func hasCredit(_ worker: Int) -> Bool { isOpen[worker] && load[worker] < credit }

    /// Whether any worker is open and has credit.
    var hasCredit: Bool { openWithCredit > 0 }

    /// The worker with the fewest frames in flight, nil when none has credit.
    mutating func leastLoaded() -> Int? {
        guard openWithCredit > 0 else { return nil }
        while heads[lowest] == Self.none { lowest += 1 }
        return heads[lowest]
    }

    /// The next worker in turn that has credit, nil when none has.
    mutating func roundRobin() -> Int? {
        guard openWithCredit > 0 else { return nil }
        while !hasCredit(turn) { turn = (turn + 1) % load.count }
        defer { turn = (turn + 1) % load.count }
        return turn
    }

    /// A worker takes frames from now on; it has none.
    mutating func open(_ worker: Int) {
        precondition(!isOpen[worker])
        isOpen[worker] = true
        totalLoad -= load[worker]
        load[worker] = 0
        freeCredit += credit
        insert(worker)
    }

    /// A worker takes no more frames.
    mutating func close(_ worker: Int) {
        guard isOpen[worker] else { return }
        if load[worker] < credit { remove(worker) }
        freeCredit -= credit - load[worker]
        isOpen[worker] = false
    }

    /// A frame went to a worker.
    mutating func add(_ worker: Int) {
        if hasCredit(worker) { remove(worker) }
        load[worker] += 1
        totalLoad += 1
        if isOpen[worker] { freeCredit -= 1 }
        if hasCredit(worker) { insert(worker) }
    }

    /// A frame of a worker is finished, or was taken from it.
    mutating func subtract(_ worker: Int) {
        precondition(load[worker] > 0)
        if hasCredit(worker) { remove(worker) }
        load[worker] -= 1
        totalLoad -= 1
        if isOpen[worker] { freeCredit += 1 }
        if hasCredit(worker) { insert(worker) }
    }

    private mutating func insert(_ worker: Int) {
        let ring = load[worker]
        let head = heads[ring]
        if head == Self.none {
            heads[ring] = worker
            next[worker] = worker
            previous[worker] = worker
        } else {
            let tail = previous[head]
            next[tail] = worker
            previous[worker] = tail
            next[worker] = head
            previous[head] = worker
        }
        openWithCredit += 1
        lowest = min(lowest, ring)
    }

    private mutating func remove(_ worker: Int) {
        let ring = load[worker]
        if next[worker] == worker {
            heads[ring] = Self.none
        } else {
            next[previous[worker]] = next[worker]
            previous[next[worker]] = previous[worker]
            if heads[ring] == worker { heads[ring] = next[worker] }
        }
        openWithCredit -= 1
        if openWithCredit == 0 { lowest = 0 }
    }
}
