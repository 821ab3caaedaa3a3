import DataProcessing
import Pipes
import Synchronization
import TestSupport
import WorkerProtocol
import WorkerRuntime

/// A worker that runs on a thread of the test, with the two pipes of a real one.
final class InProcessWorker {
    let client: WorkerClient
    private let thread: NamedThread
    private let state: State

    private final class State: Sendable {
        let exit = Mutex<WorkerExit?>(nil)
        let endedAtOnce = Mutex<WorkerExit?>(nil)
    }

    /// A worker that offers these processors.
    init(
        _ processors: [UserDataProcessor.Type] = [
            Untouched.self, AddAmount.self, EvenOnly.self, ThreeOutputs.self, OneFile.self,
            LongAttribute.self, Brittle.self,
        ]
    ) throws {
        ProcessSignals.ignoreBrokenPipe()
        let registry = try ProcessorRegistry(processors)
        let state = State()
        let (toWorker, input) = try makePipe().split { reader, writer in
            DescriptorPair(first: writer, second: reader)
        }.take()
        let (output, fromWorker) = try makePipe().split { reader, writer in
            DescriptorPair(first: writer, second: reader)
        }.take()
        let runtime = try WorkerRuntime(
            registry: registry, input: OwnedDescriptor(owning: input),
            output: OwnedDescriptor(owning: output), software: "test",
            endAtOnce: { exit in state.endedAtOnce.withLock { $0 = exit } })
        thread = try NamedThread(name: "worker") { state.exit.withLock { $0 = runtime.run() } }
        self.state = state
        client = WorkerClient(
            toWorker: OwnedDescriptor(owning: toWorker),
            fromWorker: OwnedDescriptor(owning: fromWorker))
    }

    /// Numbers of descriptors on their way to their owner.
    private struct DescriptorPair: ~Copyable {
        var first: OwnedDescriptor
        var second: OwnedDescriptor
        consuming func take() -> (Int32, Int32) { (first.release(), second.release()) }
    }

    /// Waits for the worker to leave and says how.
    func join() -> WorkerExit? {
        thread.join()
        return state.exit.withLock { $0 }
    }

    /// How it would have ended the process from its second thread.
    var endedAtOnce: WorkerExit? { state.endedAtOnce.withLock { $0 } }
}
