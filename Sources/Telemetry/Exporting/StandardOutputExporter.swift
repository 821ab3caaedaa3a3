internal import Glibc
internal import Journal

/// Writes records to standard output, a line each: text as it is, objects as compact JSON, bytes as they are.
public final class StandardOutputExporter: Exporter {
    /// The name.
    public let name: String
    private let descriptor: Int32
    private let interruption = Interruption()

    /// An exporter to standard output.
    public convenience init(name: String = "stdout") {
        self.init(name: name, descriptor: STDOUT_FILENO)
    }

    init(name: String, descriptor: Int32) {
        self.name = name
        self.descriptor = descriptor
    }

    /// Many lines for one call of the system.
    public var maximumBatchCount: Int { 500 }

    /// It waits for a reader with a limit.
    public var keepsTimeLimit: Bool { true }

    /// Writes lines; a reader that does not read is waited for until the time is over.
    public func deliver(_ records: [ExportRecord], within limit: Duration) -> [ExportOutcome] {
        let deadline = SystemExportClock().now + limit
        interruption.clear()
        return deliverInOrder(records) { record in
            do throws(JournalError) {
                guard let problem = write(try record.data.line(), deadline) else {
                    return .delivered(.null)
                }
                return .retryable(reason: "standard output: \(problem)", after: nil)
            } catch {
                return .permanent(reason: "\(error)")
            }
        }
    }

    /// Why not all was written; nil where it was. The descriptor is shared with others, so it stays blocking:
    /// a pipe that polls as writable takes PIPE_BUF bytes at once (man 7 pipe).
    private func write(_ bytes: [UInt8], _ deadline: Duration) -> String? {
        var written = 0
        while written < bytes.count {
            if let problem = interruption.wait(descriptor, Int32(POLLOUT), until: deadline) {
                return problem
            }
            let count = min(4096, bytes.count - written)
            let got = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: written), count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { return systemText(errno) }
            written += got
        }
        return nil
    }

    /// Ends a wait for the reader.
    public func interrupt() { interruption.raise() }
}
