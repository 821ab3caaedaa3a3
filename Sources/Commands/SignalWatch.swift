internal import Foundation
internal import Pipes
internal import Synchronization

/// The end of the pipe that the signal handler writes to; -1: none. Only `SignalWatch` sets it,
/// before the handler is installed.
private nonisolated(unsafe) var signalPipe: Int32 = -1

/// Hears SIGINT, SIGTERM and SIGHUP on a thread of its own, through a pipe: a handler may do no
/// more than write to it (man 7 signal-safety).
final class SignalWatch: Sendable {
    /// The signals that end a run.
    static let signals = [SIGINT, SIGTERM, SIGHUP]

    private let thread: NamedThread

    /// Begins to listen; `heard` is called with the number of signals so far. A signal that was
    /// ignored before (a job in the background, `nohup`) stays ignored. After the third the
    /// standard action is back, so that nothing can make the program immortal.
    init(heard: @escaping @Sendable (_ count: Int) -> Void) throws {
        let numbers = try makePipe().split { reader, writer in
            (reader.release(), writer.release())
        }
        signalPipe = numbers.1
        thread = try NamedThread(name: "signals") {
            let reader = OwnedDescriptor(owning: numbers.0)
            var count = 0
            while Self.waitForByte(reader) {
                count += 1
                if count == 2 {
                    for signal in Self.signals { _ = Foundation.signal(signal, SIG_DFL) }
                }
                heard(count)
            }
        }
        for number in Self.signals {
            var before = sigaction()
            sigaction(number, nil, &before)
            if Self.isIgnored(before) { continue }
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { _ in
                var byte: UInt8 = 1
                let saved = errno
                _ = write(signalPipe, &byte, 1)
                errno = saved
            }
            action.sa_flags = SA_RESTART
            sigaction(number, &action, nil)
        }
    }

    private static func isIgnored(_ action: sigaction) -> Bool {
        let handler = action.__sigaction_handler.sa_handler
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    private static func waitForByte(_ reader: borrowing OwnedDescriptor) -> Bool {
        var byte: UInt8 = 0
        while true {
            let count = read(reader.rawValue, &byte, 1)
            if count == 1 { return true }
            if count == 0 || errno != EINTR { return false }
        }
    }
}
