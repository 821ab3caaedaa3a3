package import Journal
package import NDArrays

/// What a run can be asked for from outside.
package enum ControlCommand: Sendable, Hashable {
    /// Where the run stands.
    case status
    /// Fresh statistics from all workers.
    case statistics
    /// New values for settings of a processor; without a stage, of the only stage that has it.
    case configure(processor: String, stage: String?, changes: Structure)
    /// All counters back to zero.
    case resetStatistics
    /// The end of the run: drained, or at once.
    case stop(now: Bool)
    /// Events of the journal, as a stream: the server answers with any number of lines of events before the
    /// answer itself.
    case events(JournalRequest)

    /// The word on the wire.
    package var name: Name {
        switch self {
        case .status: .status
        case .statistics: .statistics
        case .configure: .configure
        case .resetStatistics: .resetStatistics
        case .stop: .stop
        case .events: .events
        }
    }

    /// The words on the wire.
    package enum Name: String, Sendable, CaseIterable, Codable {
        case status
        case statistics = "stats"
        case configure
        case resetStatistics = "resetStats"
        case stop
        case events
    }
}

/// One line from a client.
package struct ControlRequest: Sendable, Hashable {
    /// Number that the response repeats.
    package var id: UInt64
    /// What is asked for.
    package var command: ControlCommand

    /// A request with its number.
    package init(id: UInt64, command: ControlCommand) {
        self.id = id
        self.command = command
    }
}

/// What a command gave, once it was carried out.
package enum ControlAnswer: Sendable, Hashable {
    /// It is done.
    case done
    /// Where the run stands.
    case status(RunStatus)
    /// Statistics of the run.
    case statistics(RunStatisticsRecord)
    /// The new version of the configuration.
    case configured(version: UInt64)
    /// It was not carried out.
    case failure(ControlFailure)
}

/// Why a command was not carried out.
package struct ControlFailure: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// A `ControllerError.Code`, or `request` for a line that is no request, or `limit`, or `overrun` for a
    /// stream of events whose client was too slow.
    package var code: String
    /// One sentence.
    package var message: String
    /// With `overrun`: the serial number of the last event that was sent, 0 for none; else nil.
    package var lastSeq: UInt64?
    /// With `overrun`: how many events were recorded since; else nil.
    package var missed: UInt64?

    /// A failure with its sentence.
    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    /// The failure that the controller's error is.
    package init(_ error: ControllerError) {
        self.init(code: error.code.rawValue, message: error.reason)
    }

    /// The sentence.
    package var description: String { message }
}

/// One line to a client.
package struct ControlResponse: Sendable, Hashable {
    /// Number of the request; 0 when the line was none.
    package var id: UInt64
    /// What it gave.
    package var answer: ControlAnswer

    /// A response to request `id`.
    package init(id: UInt64, answer: ControlAnswer) {
        self.id = id
        self.answer = answer
    }
}

/// Carries commands out: the controller of the run.
package protocol ControlHandler: Sendable {
    /// Carries `command` out and returns what it gave. Several may be under way at once, from
    /// different clients.
    ///
    /// - Throws: `ControllerError`, which the client gets as a failure.
    func handle(_ command: ControlCommand) async throws -> ControlAnswer
}

/// Limits of the control socket.
package enum ControlLimits {
    /// Longest line: statistics of a thousand workers fit; a longer one is refused and the
    /// connection closed.
    package static let maximumLineByteCount = 1 << 20
    /// Most clients at once: people and monitors, not frames; one more is told so and closed.
    package static let maximumClientCount = 32
    /// How long the end of a run waits for answers that are under way.
    package static let closingTime: Duration = .seconds(1)
    /// Bytes of events in a line from which no further one is added; one more may be as long as an event may be,
    /// and what encloses them is short.
    package static let eventsByteCount = 64 << 10
    /// Longest line of a stream of events.
    package static let maximumEventsByteCount =
        eventsByteCount + JournalEvent.maximumLineByteCount + 1024
    /// Events that a client may be behind once it has had all there were: with more it is told so and its
    /// stream ends. It could go on for ever, because they are in the file; but nobody looks any more at what comes
    /// so late, and it takes one of the places for clients.
    package static let maximumEventsBehind: UInt64 = 65_536
}
