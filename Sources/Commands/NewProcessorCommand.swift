internal import ArgumentParser
internal import Foundation

/// `sluice new-processor`.
struct NewProcessorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new-processor",
        abstract: "Write a Swift package with a processor, its test and its worker.",
        discussion: "It builds and runs as it is, and prints the commands for that.")

    @Argument(help: ArgumentHelp("Name of the processor class, as HotPixels.", valueName: "NAME"))
    var name: String

    @Option(
        help: ArgumentHelp("Folder to make the package in.", valueName: "dir"),
        completion: .directory)
    var path = "."

    @Option(
        help: ArgumentHelp(
            "Checkout of Sluice, or URL of its repository (otherwise the checkout that this "
                + "program was built in).", valueName: "path-or-url"), completion: .directory)
    var sluice: String?

    func run() throws {
        let package = try ProcessorPackage(
            name: name, in: path, sluice: SluiceLocation.find(given: sluice))
        try package.write()
        Output.lines(package.nextSteps(program: Self.programWord))
    }

    /// `sluice` where a shell finds this program under that name, else its path.
    private static var programWord: String {
        let running = SluiceLocation.runningProgram
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        let isFound = folders.contains {
            URL(fileURLWithPath: "\($0)/sluice").resolvingSymlinksInPath().path == running
        }
        return isFound || running.isEmpty ? "sluice" : ShellText.quoted(running)
    }
}
