internal import CLinux
internal import Glibc
internal import Pipes

/// The system as it is: processes, pipes, a poller and threads.
final class ProcessSystem: EngineSystem {
    /// Token of the mailbox's flag in the poller; those of workers are below.
    private static let mailboxToken = UInt64.max

    private let flag: EventFlag
    private var poller: Poller
    private var wait = ShortWait()
    private let spawner: ProcessSpawner

    /// A system that wakes the engine when `flag` goes up.
    init(flag: EventFlag) throws(PipeError) {
        self.flag = flag
        poller = try Poller()
        spawner = try ProcessSpawner()
        try poller.add(flag.rawValue, token: Self.mailboxToken, interest: .readable)
    }

    func now() -> UInt64 { MonotonicClock.now() }

    func wait(timeoutMilliseconds: Int32, _ events: inout [EngineEvent]) throws {
        events.removeAll(keepingCapacity: true)
        let count =
            timeoutMilliseconds == 0
            ? try poller.wait(timeoutMilliseconds: 0)
            : try waitForEvents(timeoutMilliseconds: timeoutMilliseconds)
        for index in 0..<count { events.append(event(poller[index].token)) }
    }

    private func waitForEvents(timeoutMilliseconds: Int32) throws(PipeError) -> Int {
        let isBusy = wait.begin()
        defer { wait.end() }
        if isBusy {
            repeat {
                let count = try poller.wait(timeoutMilliseconds: 0)
                if count > 0 { return count }
            } while wait.mayLookAgain()
        }
        return try poller.wait(timeoutMilliseconds: timeoutMilliseconds)
    }

    private func event(_ token: UInt64) -> EngineEvent {
        if token == Self.mailboxToken { return .mailbox }
        guard let descriptor = WorkerDescriptor(rawValue: token & 7) else {
            preconditionFailure("a token that nobody gave")
        }
        return .worker(Int(token >> 3), descriptor)
    }

    func forbidDumps() -> Bool { cl_forbid_dumps() == 0 }

    func startSource(_ driver: SourceDriver) throws {
        _ = try NamedThread(name: "source") { driver.run() }
    }

    func spawn(_ order: WorkerSpawn) throws -> any WorkerLink {
        let input = try makePipe()
        let output = try makePipe()
        let errors = try makePipe()
        let status = order.hasStatusPage ? try SharedPage() : nil
        var descriptors: [Int32: Int32] = [
            0: input.reader.rawValue, 1: output.writer.rawValue, 2: errors.writer.rawValue,
        ]
        let inherited = order.shared + (status.map { [$0.descriptor] } ?? [])
        for (index, descriptor) in inherited.enumerated() {
            descriptors[WorkerSpawn.firstSharedDescriptor + Int32(index)] = descriptor
        }
        let child = try spawner.spawn(
            SpawnRequest(
                executable: order.executable, arguments: [], environmentChanges: [:],
                descriptors: descriptors))
        let link = ProcessLink(
            worker: order.worker, system: self, child: child,
            input: input.split { _, writer in writer },
            output: output.split { reader, _ in reader },
            errors: errors.split { reader, _ in reader }, status: status)
        try link.watch()
        return link
    }

    // MARK: Watching

    fileprivate func watch(
        _ descriptor: Int32, _ kind: WorkerDescriptor, of worker: Int
    ) throws(PipeError) {
        let token = UInt64(worker) << 3 | kind.rawValue
        try poller.add(
            descriptor, token: token, interest: kind == .input ? .writable : .readable)
    }

    fileprivate func unwatch(_ descriptor: Int32) {
        do {
            try poller.remove(descriptor)
        } catch {
            preconditionFailure("a descriptor is watched that is not: \(error)")
        }
    }
}

/// A descriptor that can be closed before its owner goes.
private final class DescriptorBox {
    let descriptor: OwnedDescriptor

    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
}

/// A process with its pipes, watched by the poller of its system.
final class ProcessLink: WorkerLink {
    private let worker: Int
    private let system: ProcessSystem
    private var child: ChildProcess
    /// Messages to the worker; nil once closed.
    private var input: DescriptorBox?
    private let output: OwnedDescriptor
    private let errors: OwnedDescriptor
    private let status: SharedPage?
    private var watchesInput = false
    private var watchesOutput = false
    private var watchesErrors = false

    fileprivate init(
        worker: Int, system: ProcessSystem, child: consuming ChildProcess,
        input: consuming OwnedDescriptor, output: consuming OwnedDescriptor,
        errors: consuming OwnedDescriptor, status: SharedPage?
    ) {
        self.worker = worker
        self.system = system
        self.child = child
        self.input = DescriptorBox(input)
        self.output = output
        self.errors = errors
        self.status = status
    }

    fileprivate func watch() throws(PipeError) {
        try input?.descriptor.setNonblocking(true)
        try output.setNonblocking(true)
        try errors.setNonblocking(true)
        try system.watch(output.rawValue, .output, of: worker)
        watchesOutput = true
        try system.watch(errors.rawValue, .errors, of: worker)
        watchesErrors = true
        try system.watch(child.pollableDescriptor, .process, of: worker)
    }

    var processId: Int32 { child.pid }

    func statusWord(_ byteOffset: Int) -> UInt64? { status?.load(byteOffset) }

    func ownMemoryByteCount() -> UInt64? { ProcessMemory.ownByteCount(ofProcess: processId) }

    func read(into space: UnsafeMutableRawBufferPointer) throws(PipeError) -> ReadResult {
        try output.read(into: space)
    }

    func readErrors(into space: UnsafeMutableRawBufferPointer) throws(PipeError) -> ReadResult {
        try errors.read(into: space)
    }

    func write(from bytes: UnsafeRawBufferPointer) throws(PipeError) -> WriteResult {
        guard let input else { return .closed }
        return try input.descriptor.write(from: bytes)
    }

    func write(parts: UnsafeBufferPointer<iovec>) throws(PipeError) -> WriteResult {
        guard let input else { return .closed }
        return try input.descriptor.write(parts: parts)
    }

    func watchInput(_ isWanted: Bool) throws(PipeError) {
        guard let input, isWanted != watchesInput else { return }
        if isWanted {
            try system.watch(input.descriptor.rawValue, .input, of: worker)
        } else {
            system.unwatch(input.descriptor.rawValue)
        }
        watchesInput = isWanted
    }

    func closeInput() {
        guard let input else { return }
        if watchesInput { system.unwatch(input.descriptor.rawValue) }
        watchesInput = false
        self.input = nil
    }

    func watchOutput(_ isWanted: Bool) throws(PipeError) {
        guard isWanted != watchesOutput else { return }
        if isWanted {
            try system.watch(output.rawValue, .output, of: worker)
        } else {
            system.unwatch(output.rawValue)
        }
        watchesOutput = isWanted
    }

    func endOutput() {
        if watchesOutput { system.unwatch(output.rawValue) }
        watchesOutput = false
    }

    func endErrors() {
        if watchesErrors { system.unwatch(errors.rawValue) }
        watchesErrors = false
    }

    func kill() throws(PipeError) { try child.signalGroup(SIGKILL) }

    func reap() throws(PipeError) -> ExitStatus? { try child.reap() }

    func release() {
        system.unwatch(child.pollableDescriptor)
        endOutput()
        endErrors()
        closeInput()
    }
}
