public import DataProcessing
internal import Glibc
internal import Pipes
internal import WorkerProtocol

/// The main function of a worker executable.
///
///     import WorkerRuntime
///     import Processors
///     WorkerMain.run(processors: standardProcessors + [HotPixels.self])
public enum WorkerMain {
    /// The version of this code.
    public static let version = SluiceVersion.text

    /// What a worker says of itself when it is greeted.
    package static var software: String { "\(programName) \(version) (Swift)" }

    /// Serves the controller that started this process, and ends the process.
    ///
    /// Exit codes: 0 told to stop; 2 started by hand, with arguments, or by a controller of another
    /// protocol version; 3 the controller is gone; 4 the input is damaged; 5 a processor could not be put
    /// back to its configuration of before.
    ///
    /// With `keepsFramesSecret` the controller overwrites the shared memory that frames of this worker lay
    /// in, before it is used for others.
    public static func run(
        processors: [UserDataProcessor.Type], aliases: [String: String] = [:],
        keepsFramesSecret: Bool = false
    ) -> Never {
        answerPeople()
        LineLogHandler.install()
        do {
            let registry = try ProcessorRegistry(processors, aliases: aliases)
            let streams = try StandardStreams.takeOver()
            // The thread that spawns workers lives as long as the controller does.
            _ = try ParentDeath.arm()
            let runtime = try streams.split { input, output throws(PipeError) in
                try WorkerRuntime(
                    registry: registry, input: input, output: output,
                    ownsInheritedDescriptors: true, keepsFramesSecret: keepsFramesSecret,
                    endAtOnce: { exitCode in _exit(exitCode.rawValue) })
            }
            let result = runtime.run()
            // Threads of user code may still run: no global may be taken down under their feet.
            fflush(nil)
            _exit(result.rawValue)
        } catch {
            LineLogHandler.write("error worker \(error)")
            exit(WorkerExit.unusable.rawValue)
        }
    }

    /// Nobody talks to a worker by hand: says what it is, and ends.
    private static func answerPeople() {
        let arguments = CommandLine.arguments.dropFirst()
        if Array(arguments) == ["--version"] {
            print("\(programName) \(version)")
            exit(0)
        }
        guard !arguments.isEmpty || isatty(0) != 0 else { return }
        LineLogHandler.write(
            "\(programName) \(version) is a Sluice worker; start it with "
                + "`sluice run --worker \(CommandLine.arguments.first ?? "PATH")`")
        exit(WorkerExit.unusable.rawValue)
    }

    private static var programName: String {
        let path = CommandLine.arguments.first ?? "worker"
        return String(path.split(separator: "/").last ?? "worker")
    }
}
