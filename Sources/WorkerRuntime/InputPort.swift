internal import Pipes
internal import Wire

/// Where messages come in.
///
/// Unchecked: the decoder belongs to the main thread, and while `WorkerCore.stay` says that the main thread
/// is in user code, to who holds the lock of the core.
final class InputPort: @unchecked Sendable {
    let descriptor: OwnedDescriptor
    private var decoder = MessageDecoder()
    private var wait = ShortWait()

    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// Waits for bytes and takes them in: one read(2) as a rule.
    func fill() throws(WorkerEnding) {
        let count: Int
        let isBusy = wait.begin()
        defer { wait.end() }
        do throws(PipeError) {
            if isBusy {
                while try !descriptor.waitUntil(.readable, timeoutMilliseconds: 0),
                    wait.mayLookAgain()
                {}
            }
            count = try decoder.withWritableSpace { space throws(PipeError) in
                while true {
                    switch try descriptor.read(into: space) {
                    case .bytes(let count): return count
                    case .endOfFile: return 0
                    case .wouldBlock: _ = try descriptor.waitUntil(.readable)
                    }
                }
            }
        } catch {
            throw WorkerEnding(error)
        }
        if count == 0 { throw .orphaned }
    }

    /// The next message that is there, nil when bytes are needed.
    func next() throws(WorkerEnding) -> WireMessage? {
        do throws(WireError) {
            return try decoder.next()
        } catch {
            throw WorkerEnding(error)
        }
    }

    /// Waits for the whole payload of the current message and puts it into `destination`, which has its
    /// size: what is buffered is copied, the rest is read straight into place. Then its checksum is
    /// compared; nil: the message tells none.
    func readPayload(
        into destination: UnsafeMutableRawBufferPointer, checksum: UInt32?
    ) throws(WorkerEnding) {
        try readPayload(into: destination)
        do throws(WireError) {
            try PayloadChecksum.check(UnsafeRawBufferPointer(destination), against: checksum)
        } catch {
            throw WorkerEnding(error)
        }
    }

    private func readPayload(into destination: UnsafeMutableRawBufferPointer) throws(WorkerEnding) {
        let buffered = decoder.takeBufferedPayload(into: destination)
        guard buffered < destination.count else { return }
        let rest = UnsafeMutableRawBufferPointer(rebasing: destination[buffered...])
        let count: Int
        do throws(PipeError) {
            count = try descriptor.readAll(into: rest)
        } catch {
            throw WorkerEnding(error)
        }
        decoder.didReadPayload(byteCount: count)
        if count < rest.count { throw .orphaned }
    }
}
