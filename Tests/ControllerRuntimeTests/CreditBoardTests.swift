import TestSupport
import Testing

@testable import ControllerRuntime

/// The same by looking at everybody, every time.
private struct NaiveBoard {
    let credit: Int
    var load: [Int]
    var isOpen: [Bool]
    /// When each got its present place among its equals.
    var since: [Int]
    var clock = 0
    var turn = 0

    init(workerCount: Int, credit: Int) {
        self.credit = credit
        load = Array(repeating: 0, count: workerCount)
        isOpen = Array(repeating: false, count: workerCount)
        since = load
    }

    func hasCredit(_ worker: Int) -> Bool { isOpen[worker] && load[worker] < credit }

    var freeCredit: Int {
        load.indices.reduce(0) { $0 + (isOpen[$1] ? credit - load[$1] : 0) }
    }

    mutating func change(_ worker: Int, load newLoad: Int) {
        load[worker] = newLoad
        clock += 1
        since[worker] = clock
    }

    func leastLoaded() -> Int? {
        load.indices.filter(hasCredit).min { (load[$0], since[$0]) < (load[$1], since[$1]) }
    }

    mutating func roundRobin() -> Int? {
        for offset in load.indices {
            let worker = (turn + offset) % load.count
            if hasCredit(worker) {
                turn = (worker + 1) % load.count
                return worker
            }
        }
        return nil
    }
}

@Suite("The board of credits")
struct CreditBoardTests {
    @Test(
        "chooses as one does who looks at everybody",
        arguments: [(1, 1, 1), (2, 2, 1), (3, 3, 8), (4, 7, 3), (5, 16, 2)] as [(UInt64, Int, Int)])
    func againstNaive(seed: UInt64, workers: Int, credit: Int) {
        var random = SeededNumbers(seed: seed)
        var board = CreditBoard(workerCount: workers, credit: credit)
        var naive = NaiveBoard(workerCount: workers, credit: credit)
        for step in 0..<60_000 {
            let worker = Int.random(in: 0..<workers, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0 where !naive.isOpen[worker]:
                board.open(worker)
                naive.isOpen[worker] = true
                naive.change(worker, load: 0)
            case 1 where Int.random(in: 0..<4, using: &random) == 0:
                board.close(worker)
                naive.isOpen[worker] = false
            case 2, 3:
                guard let chosen = naive.leastLoaded() else { break }
                board.add(chosen)
                naive.change(chosen, load: naive.load[chosen] + 1)
            case 4:
                let chosen = naive.roundRobin()
                #expect(board.roundRobin() == chosen)
                guard let chosen else { break }
                board.add(chosen)
                naive.change(chosen, load: naive.load[chosen] + 1)
            case 5, 6, 7:
                guard naive.load[worker] > 0 else { break }
                board.subtract(worker)
                naive.change(worker, load: naive.load[worker] - 1)
            default: break
            }
            guard
                board.leastLoaded() == naive.leastLoaded(),
                board.load(of: worker) == naive.load[worker],
                board.hasCredit(worker) == naive.hasCredit(worker),
                board.freeCredit == naive.freeCredit,
                board.hasCredit == (naive.leastLoaded() != nil)
            else {
                Issue.record("they differ after step \(step)")
                return
            }
        }
    }

    @Test("gives equals their turn")
    func fairness() {
        var board = CreditBoard(workerCount: 4, credit: 3)
        for worker in 0..<4 { board.open(worker) }
        var order: [Int] = []
        while let worker = board.leastLoaded() {
            order.append(worker)
            board.add(worker)
        }
        #expect(order == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3])
        // Whoever is free first comes first, again in turn.
        for worker in [2, 0, 3] { board.subtract(worker) }
        order = []
        while let worker = board.leastLoaded() {
            order.append(worker)
            board.add(worker)
        }
        #expect(order == [2, 0, 3])
    }

    @Test("passes over who has no credit, one after the other")
    func roundRobin() {
        var board = CreditBoard(workerCount: 3, credit: 2)
        #expect(board.roundRobin() == nil)
        for worker in 0..<3 { board.open(worker) }
        board.add(1)
        board.add(1)
        #expect((0..<4).map { _ in board.roundRobin() } == [0, 2, 0, 2])
        board.subtract(1)
        #expect((0..<3).map { _ in board.roundRobin() } == [0, 1, 2])
    }

    @Test("forgets the frames of a life with the next one")
    func nextLife() {
        var board = CreditBoard(workerCount: 1, credit: 2)
        board.open(0)
        board.add(0)
        board.add(0)
        board.close(0)
        board.close(0)
        #expect(!board.hasCredit)
        board.open(0)
        #expect(board.load(of: 0) == 0)
        #expect(board.leastLoaded() == 0)
    }

    @Test("traps where a frame is given back that nobody had")
    func subtractTooOften() async {
        await #expect(processExitsWith: .failure) {
            var board = CreditBoard(workerCount: 1, credit: 2)
            board.open(0)
            board.subtract(0)
        }
    }
}
