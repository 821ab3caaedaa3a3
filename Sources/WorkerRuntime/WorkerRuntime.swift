package import DataProcessing
internal import Glibc
package import Pipes
internal import Synchronization

let brokenPipeNumber = EPIPE

/// A worker: it hosts processors and serves the commands of one controller.
///
/// Two threads: the one that calls `run` reads, processes and answers; a second one answers `ping` and
/// `getStats` and takes messages in while the first is in user code for long.
package final class WorkerRuntime: Sendable {
    let registry: ProcessorRegistry
    let software: String
    /// Whether the descriptors named in the greeting are this worker's, to be closed once mapped.
    let ownsInheritedDescriptors: Bool
    /// Whether slots of this worker's frames are to be overwritten when they are free.
    let keepsFramesSecret: Bool
    /// Ends the process without further ado: the controller is gone while user code runs.
    let endAtOnce: @Sendable (WorkerExit) -> Void
    let input: InputPort
    let output: OwnedDescriptor
    let core = Mutex(WorkerCore())
    /// Wakes the control thread.
    let wake: EventFlag

    /// A worker that offers the processors of `registry` to the controller behind the two descriptors.
    /// SIGPIPE has to be ignored by then.
    package init(
        registry: ProcessorRegistry, input: consuming OwnedDescriptor,
        output: consuming OwnedDescriptor, software: String = WorkerMain.software,
        ownsInheritedDescriptors: Bool = false, keepsFramesSecret: Bool = false,
        endAtOnce: @escaping @Sendable (WorkerExit) -> Void
    ) throws(PipeError) {
        wake = try EventFlag()
        self.registry = registry
        self.software = software
        self.ownsInheritedDescriptors = ownsInheritedDescriptors
        self.keepsFramesSecret = keepsFramesSecret
        self.endAtOnce = endAtOnce
        self.input = InputPort(input)
        self.output = output
    }

    /// Serves until the end and says how that was. Call it once.
    package func run() -> WorkerExit {
        let control: NamedThread
        do {
            control = try NamedThread(name: "control") { [self] in ControlLoop(self).run() }
        } catch {
            tell("error", "\(error)")
            return .unusable
        }
        var loop = ServeLoop(self)
        let exit = loop.run()
        core.withLock { $0.hasLeft = true }
        wake.signal()
        control.join()
        return exit
    }

    /// Writes one line for people to standard error.
    func tell(_ level: String, _ sentence: String) {
        LineLogHandler.write("\(level) worker \(sentence)")
    }
}
