internal import CLinux
internal import Glibc
internal import NDArrays
internal import Pipes
internal import WorkerProtocol

/// What was found when a run was checked against its ledger.
package struct VerificationReport: Sendable, Hashable {
    /// Name of the run.
    package var runId: String
    /// Files that are there and whole.
    package var wholeFiles: Int
    /// Everything that is wrong, one sentence each; empty when nothing is.
    package var problems: [String]
    /// The account of the run in one line.
    package var statement: String

    /// Whether nothing is wrong.
    package var isClean: Bool { problems.isEmpty }
}

/// Checks that the account of a finished run balances and that every output is there and whole.
package enum RunVerification {
    /// Compares ledger and files of the run in `runDirectory`. Relative output paths are taken from
    /// the present folder, as the run took them.
    ///
    /// - Throws: `ControllerError` when there is no ledger or it is damaged.
    package static func verify(runDirectory: String) throws(ControllerError) -> VerificationReport {
        let path = RunDirectory.path(of: .ledger, in: runDirectory)
        let contents = try LedgerContents(path: path)
        var check = LedgerCheck()
        for record in contents.records { check.take(record) }
        if contents.tornByteCount > 0 {
            check.problems.append(
                "the ledger ends in the middle of a record (\(contents.tornByteCount) bytes): the run "
                    + "did not end in order")
        }
        return check.report()
    }
}

/// A frame in a stage.
private struct StagedKey: Hashable {
    var key: FrameKey
    var stage: String
}

/// A frame that wanted a name for a file.
private struct Intent {
    var owner: StagedKey
    var file: StagedFile
}

/// Goes through the records of a ledger.
private struct LedgerCheck {
    var runId = ""
    /// By final name, in order: several frames may have wanted one.
    var intents: [String: [Intent]] = [:]
    /// Frames that failed after their intents were written, with their stages.
    var failed: Set<StagedKey> = []
    var finished: [String] = []
    var problems: [String] = []
    var account: String?
    var unreadable = 0

    mutating func take(_ record: LedgerRecord) {
        switch record {
        case .run(let id): runId = id
        case .intent(let key, let stage, let file):
            intents[file.finalPath, default: []].append(
                Intent(owner: StagedKey(key: key, stage: stage), file: file))
        case .finished(let path): finished.append(path)
        case .outcome(let key, let stage, _, _, _):
            failed.insert(StagedKey(key: key, stage: stage))
        case .account(
            let stage, let accepted, let processed, let filtered, let failed, let quarantined,
            let dropped, let inFlight):
            var (sum, overflow) = (UInt64(0), false)
            for count in [processed, filtered, failed, quarantined, dropped, inFlight] {
                let next = sum.addingReportingOverflow(count)
                (sum, overflow) = (next.partialValue, overflow || next.overflow)
            }
            let line =
                "\(accepted) accepted = \(processed) processed + \(filtered) filtered + \(failed) "
                + "failed + \(quarantined) quarantined + \(dropped) dropped + \(inFlight) in flight"
            if stage.isEmpty { account = line }
            let name = stage.isEmpty ? "the run" : "stage \(stage)"
            if overflow || sum != accepted {
                problems.append("the account of \(name) does not balance: \(line)")
            }
            if inFlight > 0 { problems.append("\(inFlight) frames of \(name) have no outcome") }
        }
    }

    mutating func report() -> VerificationReport {
        if account == nil {
            problems.append("the ledger has no account: the run did not end in order")
        }
        var whole = 0
        for path in Set(finished).sorted() {
            guard let intent = owner(of: path) else {
                problems.append("\(path) was finished without an intent")
                continue
            }
            if let problem = Self.check(path, intent.file) {
                problems.append("\(path) (frame \(intent.owner.key)) \(problem)")
            } else {
                whole += 1
            }
        }
        return VerificationReport(
            runId: runId, wholeFiles: whole, problems: problems,
            statement: account ?? "no account")
    }

    /// The frame that got a name: the first that wanted it and did not fail, or the last one where
    /// names may be replaced. A frame of several files may fail after it got this one.
    private func owner(of path: String) -> Intent? {
        let all = intents[path] ?? []
        let successful = all.filter { !failed.contains($0.owner) }
        let candidates = successful.isEmpty ? all : successful
        return candidates.last { $0.file.mayReplace } ?? candidates.first
    }

    /// What is wrong with a file; nil when nothing is.
    private static func check(_ path: String, _ file: StagedFile) -> String? {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else {
            return errno == ENOENT ? "is missing" : "can't be read: \(SystemText.ofError(errno))"
        }
        let descriptor = OwnedDescriptor(owning: number)
        var checksum: UInt32 = 0
        var byteCount: UInt64 = 0
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { chunk.deallocate() }
        do throws(PipeError) {
            while case .bytes(let count) = try descriptor.read(into: chunk) {
                checksum = cl_crc32c(checksum, chunk.baseAddress, count)
                byteCount += UInt64(count)
            }
        } catch {
            return "can't be read: \(error)"
        }
        if byteCount != file.byteCount {
            return "has \(byteCount) bytes, the ledger says \(file.byteCount)"
        }
        if let expected = file.checksum, expected != checksum {
            return "has changed: its checksum is \(checksum), the ledger says \(expected)"
        }
        return nil
    }
}
