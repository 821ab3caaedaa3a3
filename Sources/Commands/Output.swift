internal import Foundation
internal import Synchronization

/// Standard output and standard error, with one line at the end of the terminal that is redrawn.
enum Output {
    private static let liveLine = Mutex(false)

    /// Writes a line to standard output. False: nobody reads it any more.
    @discardableResult
    static func line(_ text: String) -> Bool {
        write(text + "\n", to: STDOUT_FILENO)
    }

    /// Writes text as it is to standard output. False: nobody reads it any more.
    static func text(_ text: String) -> Bool { write(text, to: STDOUT_FILENO) }

    /// Writes lines to standard output.
    @discardableResult
    static func lines(_ lines: [String]) -> Bool { line(lines.joined(separator: "\n")) }

    /// Writes `sluice: ` and a sentence to standard error.
    static func error(_ text: String) { write("sluice: \(text)\n", to: STDERR_FILENO) }

    /// Whether standard output is a terminal.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Columns of the terminal, 80 where it does not say.
    static var terminalWidth: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Replaces the live line by `text`, which must be shorter than the terminal is wide.
    static func redraw(_ text: String) {
        liveLine.withLock { isShown in
            put("\r\u{1B}[2K\(text)", to: STDOUT_FILENO)
            isShown = true
        }
    }

    /// Removes the live line.
    static func clearLiveLine() {
        liveLine.withLock { isShown in
            if isShown { put("\r\u{1B}[2K", to: STDOUT_FILENO) }
            isShown = false
        }
    }

    @discardableResult
    private static func write(_ text: String, to descriptor: Int32) -> Bool {
        clearLiveLine()
        return put(text, to: descriptor)
    }

    /// False when it can't be written: nobody reads, or the disk is full.
    @discardableResult
    private static func put(_ text: String, to descriptor: Int32) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

/// Lines for standard output that are written together: one call for many rows.
struct OutputBuffer {
    /// Bytes from which they are written.
    static let byteCount = 64 << 10

    private var text = ""

    /// Takes lines. False: nobody reads them any more.
    mutating func add(_ lines: [String]) -> Bool {
        for line in lines {
            text += line
            text += "\n"
        }
        return text.utf8.count < Self.byteCount || flush()
    }

    /// Writes what is there. False: nobody reads it.
    @discardableResult
    mutating func flush() -> Bool {
        guard !text.isEmpty else { return true }
        defer { text = "" }
        return Output.text(text)
    }
}
