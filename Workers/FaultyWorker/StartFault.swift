import Glibc

/// What a worker can do wrong before it says anything: the value of `SLUICE_FAULTY`.
enum StartFault: String {
    /// Never answers.
    case silent
    /// Writes text instead of messages, and goes on to wait.
    case garbage
    /// Ends at once with code 1.
    case exit
    /// Ends at once by SIGSEGV.
    case crash
    /// Closes its output and goes on to wait.
    case closed

    /// Does what the environment asks for; returns when it asks for nothing.
    static func commit() {
        guard let value = getenv("SLUICE_FAULTY"),
            let fault = StartFault(rawValue: String(cString: value))
        else { return }
        switch fault {
        case .silent: break
        case .garbage:
            _ = "Segmentation fault (core dumped)\n".withCString { write(1, $0, strlen($0)) }
        case .exit: Glibc._exit(1)
        case .crash: Misdeed.touchNothing()
        case .closed: close(1)
        }
        while true { pause() }
    }
}
