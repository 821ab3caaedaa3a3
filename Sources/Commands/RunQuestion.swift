internal import ControllerRuntime
internal import Foundation

/// Asks a run, or where it has ended its files.
enum RunQuestion {
    /// Where a run stands.
    enum Standing {
        case running(RunStatus)
        case ended(RunSummary)
    }

    /// Statistics, and whether they will go on.
    struct StatisticsAnswer {
        var record: RunStatisticsRecord
        var isLive: Bool
    }

    /// Sends one command to a run that goes on. A refusal is thrown.
    static func ask(
        _ run: String, _ command: ControlCommand
    ) throws(CommandError) -> ControlAnswer {
        do {
            var client = try ControlClient(runDirectory: run)
            return try refusalThrown(client.send(command))
        } catch {
            throw CommandError(error)
        }
    }

    /// Sends a command whose answer may take long. After `patience` it says so on standard error, and
    /// waits on for `timeLimit` in all; nil: until the answer comes or the run ends.
    static func askPatiently(
        _ run: String, _ command: ControlCommand, timeLimit: Duration?,
        patience: Duration = .seconds(2), line: String, givingUp: String
    ) throws(CommandError) -> ControlAnswer {
        do {
            var client = try ControlClient(runDirectory: run)
            let first = min(patience, timeLimit ?? patience)
            do {
                return try refusalThrown(client.send(command, timeLimit: first))
            } catch ControlClientError.timeLimit {
                if let timeLimit, timeLimit <= first { throw CommandError(givingUp) }
            }
            Output.error(line)
            do {
                let rest = timeLimit.map { $0 - first } ?? ControlClient.noTimeLimit
                return try refusalThrown(client.waitForAnswer(timeLimit: rest))
            } catch ControlClientError.timeLimit {
                throw CommandError(givingUp)
            }
        } catch {
            throw CommandError(error)
        }
    }

    /// The status of a run that goes on, the summary of one that has ended.
    static func status(of run: String) throws(CommandError) -> Standing {
        if let answer = try askIfRunning(run, .status), case .status(let status) = answer {
            return .running(status)
        }
        guard let summary = try summary(at: run) else { throw unfinished(run) }
        return .ended(summary)
    }

    /// Fresh statistics, or the last line of `stats.jsonl`.
    static func statistics(of run: String) throws(CommandError) -> StatisticsAnswer {
        if let answer = try askIfRunning(run, .statistics), case .statistics(let record) = answer {
            return StatisticsAnswer(record: record, isLive: true)
        }
        guard let record = try lastStatistics(of: run) else {
            throw CommandError("the run in \(run) has ended and left no statistics")
        }
        return StatisticsAnswer(record: record, isLive: false)
    }

    /// Ends a run and waits until it is over.
    static func stop(_ run: String, now: Bool) throws(CommandError) {
        do {
            var client = try ControlClient(runDirectory: run)
            _ = try refusalThrown(client.send(.stop(now: now)))
            try client.waitForEnd()
        } catch {
            throw CommandError(error)
        }
    }

    /// The summary of a run that has ended, nil where there is none.
    static func summary(at run: String) throws(CommandError) -> RunSummary? {
        do {
            return try RunDirectory.summary(at: run)
        } catch {
            throw CommandError(error)
        }
    }

    /// The name of a run: that of its ledger, which is there from the beginning.
    static func runId(of run: String) throws(CommandError) -> String {
        do {
            return try RunDirectory.runId(ofLedgerIn: run)
        } catch {
            throw CommandError(error)
        }
    }

    // MARK: - Parts

    /// The answer, nil when the run has ended.
    private static func askIfRunning(
        _ run: String, _ command: ControlCommand
    ) throws(CommandError) -> ControlAnswer? {
        do {
            var client = try ControlClient(runDirectory: run)
            return try refusalThrown(client.send(command))
        } catch ControlClientError.ended, ControlClientError.closed {
            return nil
        } catch {
            throw CommandError(error)
        }
    }

    private static func refusalThrown(_ answer: ControlAnswer) throws -> ControlAnswer {
        if case .failure(let failure) = answer { throw CommandError(failure.message) }
        return answer
    }

    private static func unfinished(_ run: String) -> CommandError {
        CommandError(
            "the run in \(run) ended without a summary: its controller was killed; "
                + "sluice run --run-dir \(run) --resume does what is missing")
    }

    private static func lastStatistics(
        of run: String
    ) throws(CommandError) -> RunStatisticsRecord? {
        let path = RunDirectory.path(of: .statistics, in: run)
        let text: String
        do {
            text = try LastLine.of(file: path)
        } catch {
            return nil
        }
        if text.isEmpty { return nil }
        do {
            return try JSON.decode(RunStatisticsRecord.self, from: Array(text.utf8))
        } catch {
            throw CommandError(
                "the last line of \(path) is no statistics of this version of Sluice")
        }
    }
}

/// The end of a file of lines, without reading what is before it.
enum LastLine {
    /// The last whole line; empty when there is none. A line that was cut off is passed over.
    static func of(file path: String) throws -> String {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        let size = try file.seekToEnd()
        var length: UInt64 = 64 << 10
        while true {
            let start = size > length ? size - length : 0
            try file.seek(toOffset: start)
            let data = try file.read(upToCount: Int(size - start)) ?? Data()
            let newline = UInt8(ascii: "\n")
            guard let end = data.lastIndex(of: newline) else {
                if start == 0 { return "" }
                length *= 4
                continue
            }
            let before = data[..<end].lastIndex(of: newline)
            if before == nil, start > 0 {
                length *= 4
                continue
            }
            let line = data[(before.map { $0 + 1 } ?? data.startIndex)..<end]
            return String(decoding: line, as: UTF8.self)
        }
    }
}

/// Values as JSON text.
enum JSONText {
    /// For people and programs, indented.
    static func of(_ value: some Encodable) throws -> String {
        String(decoding: try JSON.encode(value, isPretty: true), as: UTF8.self)
    }

    /// On one line.
    static func line(of value: some Encodable) throws -> String {
        String(decoding: try JSON.encode(value, isPretty: false), as: UTF8.self)
    }
}
