import NDArrays
import TestSupport

@testable import ControllerRuntime

/// A change of settings; the number says what comes of it.
struct SimulatedChange {
    enum Kind: Int64 {
        case accepted0, accepted1, accepted2, refusedByAll, refusedByOne
        case failsToApply, deadlyToValidate, deadlyToApply
    }

    var value: Int64

    init(value: Int64) { self.value = value }

    init(_ changes: Structure) {
        if case .scalar(.int64(let value)) = changes["value"] {
            self.value = value
        } else {
            value = 0
        }
    }

    var kind: Kind { Kind(rawValue: value % 8) ?? .accepted0 }
}

/// Something that somebody wants of the engine.
struct SimulatedRequest {
    enum Kind { case configure, statistics, reset, status, started, stop }

    var kind: Kind
    var answers = 0
    /// Whether the worker that a change is to kill is dead.
    var isUsedUp = false

    var isStop: Bool { kind == .stop }
    var isReset: Bool { kind == .reset }
}

extension SimulatedWorld {
    /// Asks something of the engine, nil: anything but to stop.
    func ask(_ wanted: SimulatedRequest.Kind?) {
        let kinds: [SimulatedRequest.Kind] = [
            .configure, .configure, .configure, .statistics, .statistics, .reset, .status, .started,
        ]
        let kind = wanted ?? kinds[Int(numbers.below(UInt64(kinds.count)))]
        let number = requests.count
        requests.append(SimulatedRequest(kind: kind))
        log.add("ask", number)
        let posted: Bool
        switch kind {
        case .configure: posted = mailbox.post(.configure(change(number)))
        case .statistics:
            posted = mailbox.post(.statistics { [self] in answer(number, !$0.isFailure) })
        case .reset:
            posted = mailbox.post(.resetStatistics { [self] in answer(number, !$0.isFailure) })
        case .status: posted = mailbox.post(.status { [self] _ in answer(number, true) })
        case .started: posted = mailbox.post(.started { [self] in answer(number, !$0.isFailure) })
        case .stop:
            posted = mailbox.post(.stop(now: plan.stopsNow))
            requests[number].answers = 1
        }
        expect(posted, "the mailbox was closed too early")
    }

    private func change(_ number: Int) -> ConfigureRequest {
        let stage = numbers.below(UInt64(plan.configuration.stages.count))
        let value = Int64(number) * 8 + Int64(numbers.below(8))
        return ConfigureRequest(
            stage: nil, processor: "P\(stage)",
            changes: Structure(["value": .scalar(.int64(value))])
        ) { [self] in
            answer(number, !$0.isFailure)
            changeAnswered(value, Int(stage), !$0.isFailure)
        }
    }

    private func answer(_ number: Int, _ success: Bool) {
        requests[number].answers += 1
        log.add("answer", number, success ? 1 : 0)
        expect(requests[number].answers == 1, "request \(number) is answered twice")
    }

    /// The request that a change came with.
    func request(_ change: SimulatedChange) -> SimulatedRequest? {
        requests[safely: Int(change.value / 8)]
    }

    /// A change has killed its worker; the next one survives it.
    func useUp(_ change: SimulatedChange) { requests[Int(change.value / 8)].isUsedUp = true }

    /// Answers what came after the end, as the launch of an engine does.
    func refuseTheRest() {
        let over = ControllerError(.state, "the run is over")
        for request in mailbox.close() {
            switch request {
            case .stop: break
            case .started(let completion): completion(.failure(over))
            case .status(let completion): completion(nil)
            case .statistics(let completion): completion(.failure(over))
            case .configure(let request): request.completion(.failure(over))
            case .resetStatistics(let completion): completion(.failure(over))
            }
        }
    }
}

extension Result {
    fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}
