internal import ArgumentParser
internal import ControllerRuntime
internal import Foundation
internal import Journal

/// How events are printed.
enum EventFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case human, json
}

/// When text has colours.
enum ColourChoice: String, ExpressibleByArgument, CaseIterable, Sendable {
    case auto, always, never
}

/// How times of events are written.
enum EventTime: String, ExpressibleByArgument, CaseIterable, Sendable {
    case human, raw, iso, offset

    /// The same for the formatter.
    var form: JournalEventFormatter.Time {
        switch self {
        case .human: .human
        case .raw: .raw
        case .iso: .iso
        case .offset: .offset
        }
    }
}

/// Options of all commands that print events.
struct EventTextOptions: ParsableArguments {
    @Option(help: "human, or json: the lines of the journal.")
    var format = EventFormat.human

    @Option(
        help: ArgumentHelp(
            """
            human (the time of day, then seconds since that line), raw (seconds since 1970), iso, or \
            offset (seconds since the first event).
            """))
    var time: EventTime?

    @Option(help: "Colours: auto (on a terminal), always or never.")
    var color = ColourChoice.auto

    /// A formatter for standard output, with that form of times where none was asked for.
    func formatter(time standard: JournalEventFormatter.Time) -> JournalEventFormatter {
        let hasColour =
            switch color {
            case .auto: Output.isTerminal && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
            case .always: true
            case .never: false
            }
        return JournalEventFormatter(
            form: format == .json ? .json : .text, time: time?.form ?? standard,
            hasColour: hasColour)
    }
}

/// The journal of a run directory.
enum RunJournal {
    /// Its transport. Where `follows`, for as long as the run goes on; else what is there now.
    ///
    /// - Throws: `CommandError` when it is no run directory.
    static func transport(
        of run: String, follows: Bool
    ) throws(CommandError) -> JournalFileTransport {
        switch RunDirectory.state(of: run) {
        case .missing: throw CommandError(ControlClientError.missing(path: run))
        case .foreign: throw CommandError(ControlClientError.foreign(path: run))
        case .running, .ended: break
        }
        if follows { return JournalFileTransport(runDirectory: run) }
        return JournalFileTransport(
            path: RunDirectory.path(of: .journal, in: run), follows: false)
    }

    /// The patterns of names.
    static func patterns(_ texts: [String]) throws(CommandError) -> [EventNamePattern] {
        guard texts.count <= JournalRequest.maximumPatternCount else {
            throw CommandError(
                "--name is given \(texts.count) times: at most \(JournalRequest.maximumPatternCount) "
                    + "patterns are taken, use * for more names")
        }
        var patterns: [EventNamePattern] = []
        for text in texts {
            guard let pattern = EventNamePattern(text) else {
                throw CommandError(
                    "'\(text)' names no event: use a-z, 0-9 and hyphens, with * and ? for others, as "
                        + "'worker.*'")
            }
            patterns.append(pattern)
        }
        return patterns
    }
}
