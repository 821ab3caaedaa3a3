internal import ArgumentParser
internal import ControllerRuntime
internal import Foundation
internal import Journal

/// `sluice wait-event`.
struct WaitEventCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait-event",
        abstract: "Wait until something happens in a run, and print it.",
        discussion: """
            What happened before counts, too. Exit code 0 when the event is there, 1 when the run ended without it \
            or the time is over.

            Example:
              sluice wait-event runs/today run-start --timeout 30s && start-detector
            """)

    @OptionGroup var argument: RunArgument

    @Argument(
        help: ArgumentHelp(
            "Name of the event; * stands for any characters, ? for one, and a point for a hyphen.",
            valueName: "NAME"))
    var name: String

    @Option(help: ArgumentHelp("Longest wait, as 30s or 2min. Standard: none.", valueName: "time"))
    var timeout: String?

    @Option(
        help: ArgumentHelp(
            "Only an event with this value of this key in its context. Can be repeated: all must fit.",
            valueName: "key=value"))
    var match: [String] = []

    @Option(help: ArgumentHelp("Wait until it happened so often.", valueName: "n"))
    var count = 1

    @Flag(help: "Print the events before it, too.")
    var verbose = false

    @Flag(help: "Print nothing.")
    var quiet = false

    @OptionGroup var text: EventTextOptions

    func run() throws {
        guard let pattern = try RunJournal.patterns([name]).first else { return }
        let matches = try match.map(EventMatch.init(text:))
        guard count > 0 else {
            throw CommandError("--count is \(count): it must be a number of events, from 1 up")
        }
        let limit = try timeLimit()
        let transport = try RunJournal.transport(of: argument.run, follows: true)
        // With --verbose the others are wanted, too.
        let consumer = RunJournalConsumer(transport: transport, names: verbose ? [] : [pattern])
        consumer.start()
        try wait(for: consumer, limit) { event in
            pattern.matches(event.name) && matches.allSatisfy { $0.fits(event) }
        }
    }

    private func wait(
        for consumer: RunJournalConsumer, _ limit: Duration?,
        until isWanted: (JournalEvent) -> Bool
    ) throws {
        let deadline = limit.map { ContinuousClock.now.advanced(by: $0) }
        var formatter = text.formatter(time: .raw)
        var left = count
        do {
            while left > 0 {
                let rest = deadline.map { max(.zero, ContinuousClock.now.duration(to: $0)) }
                guard let event = try consumer.poll(timeout: rest) else {
                    throw CommandError(
                        "event '\(name)' never received", exitCode: Outcome.framesFailed)
                }
                if isWanted(event) { left -= 1 }
                guard !quiet, verbose || left == 0 else { continue }
                Output.line(try formatter.line(event))
            }
        } catch JournalConsumerError.timeout {
            throw CommandError(
                "wait-event timeout on event '\(name)'", exitCode: Outcome.framesFailed)
        } catch {
            throw CommandError(error)
        }
    }

    private func timeLimit() throws(CommandError) -> Duration? {
        guard let timeout else { return nil }
        guard let limit = QuantityText.duration(timeout) else {
            throw CommandError("--timeout is '\(timeout)': it must be a time, as 30s or 2min")
        }
        return limit
    }
}

/// A value that a key of an event's context must have.
struct EventMatch: Hashable {
    /// The key.
    let key: String
    /// The value as text.
    let value: String

    /// `key=value`.
    init(text: String) throws(CommandError) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw CommandError("--match is '\(text)': it must be key=value, as cause=exit")
        }
        key = String(text[..<equals])
        value = String(text[text.index(after: equals)...])
    }

    /// Whether an event has it: a text of just these characters, a number within 1e-5 of it, or whatever else in
    /// its JSON text.
    func fits(_ event: JournalEvent) -> Bool {
        guard let found = event[key] else { return false }
        switch found {
        case .string(let text): return text == value || value == "\"\(text)\""
        case .double(let number):
            return QuantityText.real(value).map { abs($0 - number) <= 1e-5 } ?? false
        case .int(let number): return isWhole(Double(number), "\(number)")
        case .uint(let number): return isWhole(Double(number), "\(number)")
        case .null, .bool, .array, .object:
            return JournalValue(json: value) == found
        }
    }

    private func isWhole(_ number: Double, _ text: String) -> Bool {
        value == text || QuantityText.real(value).map { $0 == number } ?? false
    }
}
