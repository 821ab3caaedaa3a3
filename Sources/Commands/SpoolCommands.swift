internal import ArgumentParser
internal import RunTelemetry
internal import Telemetry

/// `sluice spool`: what waits on disk for a destination of statistics and events.
struct SpoolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spool",
        abstract: "Look at a spool of telemetry, check it, or deliver what waits in it.",
        discussion: """
            A spool is the folder that `telemetry.exporters` names as `spool: {directory: …}`. A later \
            run with the same exporter delivers it by itself; these commands are for when there is none.
            """,
        subcommands: [SpoolListCommand.self, SpoolVerifyCommand.self, SpoolDrainCommand.self])
}

/// The folder of a spool, on the command line.
struct SpoolArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The folder of the spool.", valueName: "folder"))
    var folder: String

    /// Reads all of it and changes nothing.
    func report() throws(CommandError) -> SpoolTools.Report {
        guard FileKind.isFolder(folder) else { throw CommandError("there is no folder \(folder)") }
        do {
            return try SpoolTools.verify(directory: folder)
        } catch {
            throw CommandError("\(error)")
        }
    }
}

/// `sluice spool ls`.
struct SpoolListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "What each destination still has to get.")

    @OptionGroup var argument: SpoolArgument

    func run() throws { Output.lines(SpoolText.waiting(try argument.report())) }
}

/// `sluice spool verify`.
struct SpoolVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check every record of a spool; exit code 1 where one can't be read.")

    @OptionGroup var argument: SpoolArgument

    func run() throws {
        let report = try argument.report()
        Output.lines(SpoolText.segments(report) + SpoolText.waiting(report))
        if !report.isSound { throw ExitCode(Outcome.framesFailed) }
    }
}

/// `sluice spool drain`.
struct SpoolDrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Deliver what waits in a spool, and take it out.",
        discussion: """
            Records are in the form of the exporter that wrote them: send them to one of the same \
            kind. It ends at the first that is not taken; what is left stays. Destinations are those \
            of `sluice export`, but for names.

            Example:
              sluice spool drain spool --to graphite:127.0.0.1:2003
            """)

    @OptionGroup var argument: SpoolArgument

    @Option(help: ArgumentHelp("Where to, as graphite:127.0.0.1:2003.", valueName: "destination"))
    var to: String

    @Option(
        help: ArgumentHelp(
            "Whose records, where the spool has those of several.", valueName: "exporter"))
    var exporter: String?

    func run() throws {
        let destination = try DestinationText.destination(to)
        let names = SpoolText.names(of: try argument.report())
        if let exporter, !names.contains(exporter) {
            throw CommandError(
                "nothing in \(argument.folder) is for \(exporter)"
                    + nearestNameHint(for: exporter, in: names))
        }
        guard let name = exporter ?? names.first else {
            Output.line("nothing waits in \(argument.folder)")
            return
        }
        guard exporter != nil || names.count == 1 else {
            throw CommandError(
                "\(argument.folder) has records of \(names.joined(separator: ", ")): say whose, "
                    + "as --exporter \(name)")
        }
        let report: SpoolTools.DrainReport
        do {
            report = try SpoolDraining.drain(argument.folder, of: name, to: destination)
        } catch {
            throw CommandError("\(error)")
        }
        Output.line(
            "\(report.delivered) records were delivered, \(report.refused) were refused, "
                + "\(report.left) are left")
        if let problem = report.problem { Output.error(problem) }
        if report.problem != nil || report.refused > 0 { throw ExitCode(Outcome.framesFailed) }
    }
}

/// What is in a spool, for people.
enum SpoolText {
    /// Whoever has records in it, in alphabetical order.
    static func names(of report: SpoolTools.Report) -> [String] {
        Set(report.owed.keys).union(report.aside.keys).sorted()
    }

    /// What waits, by exporter, and who has the spool open.
    static func waiting(_ report: SpoolTools.Report) -> [String] {
        var table = TextTable([
            ("exporter", .left), ("waiting", .right), ("bytes", .right), ("set aside", .right),
        ])
        for name in names(of: report) {
            let owed = report.owed[name]
            table.add([
                name, "\(owed?.records ?? 0)", NumberText.bytes(Double(owed?.bytes ?? 0)),
                report.aside[name].map { "\($0.records)" } ?? "",
            ])
        }
        let lines = table.isEmpty ? ["nothing waits"] : table.lines()
        return lines + (report.holder.map { ["\($0) has it open"] } ?? [])
    }

    /// The files, each with what is in it.
    static func segments(_ report: SpoolTools.Report) -> [String] {
        var table = TextTable([
            ("file", .left), ("size", .right), ("records", .right), ("damaged", .right),
            ("cut off", .right), ("unreadable", .right),
        ])
        for segment in report.segments {
            table.add([
                segment.name, NumberText.bytes(Double(segment.bytes)), "\(segment.records)",
                segment.damagedStretches == 0 ? "" : "\(segment.damagedStretches)",
                segment.tornBytes == 0 ? "" : NumberText.bytes(Double(segment.tornBytes)),
                segment.unreadable == 0 ? "" : "\(segment.unreadable)",
            ])
        }
        return table.isEmpty ? [] : table.lines()
    }
}
