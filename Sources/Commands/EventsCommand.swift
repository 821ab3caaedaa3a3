internal import ArgumentParser
internal import ControllerRuntime
internal import Foundation
internal import Journal

/// `sluice events`.
struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Show what happened in a run, and with --follow what happens.",
        discussion: """
            All events of the journal so far, the oldest first. With --follow it goes on until the run ends.

            Example:
              sluice events runs/today --follow --name 'worker.*'
            """)

    @OptionGroup var argument: RunArgument

    @Flag(help: "Go on with what happens, until the run ends.")
    var follow = false

    @Option(
        help: ArgumentHelp(
            """
            Only events after this moment: seconds since 1970, a time as 2026-11-21T14:05:09, or how long ago, as \
            10min.
            """, valueName: "time"))
    var since: String?

    @Option(
        help: ArgumentHelp(
            """
            Only events of this name; * stands for any characters, ? for one, and a point for a hyphen. Can be \
            repeated.
            """, valueName: "pattern"))
    var name: [String] = []

    @OptionGroup var text: EventTextOptions

    func run() throws {
        let consumer = RunJournalConsumer(
            transport: try RunJournal.transport(of: argument.run, follows: follow),
            names: try RunJournal.patterns(name),
            since: try since.map { try MomentText.seconds($0, option: "--since") } ?? 0)
        consumer.start()
        var formatter = text.formatter(time: .human)
        var buffer = OutputBuffer()
        do {
            while let event = try Self.next(of: consumer, flushing: &buffer) {
                guard buffer.add([try formatter.line(event)]) else { return }
            }
        } catch is OutputClosed {
            return
        } catch {
            buffer.flush()
            throw CommandError(error)
        }
        buffer.flush()
    }

    private struct OutputClosed: Error {}

    /// The next event; where it has to be waited for, what is there is printed first.
    private static func next(
        of consumer: RunJournalConsumer, flushing buffer: inout OutputBuffer
    ) throws -> JournalEvent? {
        do {
            return try consumer.poll(timeout: .zero)
        } catch JournalConsumerError.timeout {
            guard buffer.flush() else { throw OutputClosed() }
            return try consumer.poll()
        }
    }
}
