internal import Glibc
internal import Pipes

/// One client of a control server; used by the server's thread only.
final class ControlConnection {
    /// A line that came in.
    enum Line {
        case line([UInt8])
        case tooLong
    }

    let descriptor: OwnedDescriptor
    /// Whether a request is being carried out.
    var isBusy = false
    /// The events that are being sent; nil: none are.
    var events: ControlEventStream?
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var writtenCount = 0
    private var isAtEnd = false
    private var isRefused = false

    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// Whether bytes wait for the client to read.
    var hasOutput: Bool { writtenCount < output.count }

    /// Whether there is nothing more to do for this client.
    var isOver: Bool { !isBusy && !hasOutput && (isAtEnd || isRefused) }

    /// Takes in what is there now, at most one buffer.
    func receive() {
        do {
            let result = try withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 1) {
                buffer throws(PipeError) in
                let result = try descriptor.read(into: buffer)
                if case .bytes(let count) = result { input += buffer[..<count] }
                return result
            }
            if result == .endOfFile { isAtEnd = true }
        } catch {
            isAtEnd = true
        }
    }

    /// The next whole line without its end, nil when none is there; empty lines are passed over.
    func nextLine() -> Line? {
        if isRefused { return nil }
        while let end = input.firstIndex(of: UInt8(ascii: "\n")) {
            let line = Array(input[..<end])
            input.removeFirst(end + 1)
            if line.count > ControlLimits.maximumLineByteCount { return .tooLong }
            if line.contains(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\r") }) {
                return .line(line)
            }
        }
        return input.count > ControlLimits.maximumLineByteCount ? .tooLong : nil
    }

    /// Sends the answer to the request that was being carried out.
    func answer(_ line: [UInt8]) {
        isBusy = false
        output += line
        flush()
    }

    /// Sends a line that is not the answer yet.
    func send(_ line: [UInt8]) {
        output += line
        flush()
    }

    /// Sends the reason and takes nothing more.
    func refuse(_ failure: ControlFailure) {
        isRefused = true
        answer(ControlServerLoop.line(ControlResponse(id: 0, answer: .failure(failure))))
    }

    /// Writes as much as the client's buffer takes.
    func flush() {
        while hasOutput {
            do {
                let result = try output[writtenCount...].withUnsafeBytes {
                    bytes throws(PipeError) in try descriptor.write(from: bytes)
                }
                switch result {
                case .bytes(let count): writtenCount += count
                case .wouldBlock: return
                case .closed: giveUp()
                }
            } catch {
                giveUp()
            }
        }
        output = []
        writtenCount = 0
    }

    private func giveUp() {
        writtenCount = output.count
        isAtEnd = true
        input = []
    }
}
