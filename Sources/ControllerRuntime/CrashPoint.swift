internal import Glibc

/// A step of a commit at which a test ends the whole process, as `kill -9` would.
///
/// With `SLUICE_CRASH_POINT=name:count` in its environment the process kills itself when it comes to
/// the step called `name` for the `count`th time. Without it (always but in tests) a step costs one
/// comparison.
struct CrashPoint {
    /// The steps.
    enum Step: String, CaseIterable {
        /// The intent is written, no file has its name.
        case intent
        /// One file of a frame has its name, others of it have not.
        case firstRename = "first-rename"
        /// All files of a frame have their names, its closing is not written.
        case renames
        /// The closings of commits are written.
        case closings
        /// It is written which commits did not go through; their staged files are there.
        case undone
    }

    private let step: Step?
    private var left: Int

    /// What the environment says.
    init() {
        let text = getenv("SLUICE_CRASH_POINT").map { String(cString: $0) } ?? ""
        let parts = text.split(separator: ":")
        step = parts.first.flatMap { Step(rawValue: String($0)) }
        left = parts.count > 1 ? Int(parts[1]) ?? 1 : 1
    }

    /// The process has come to a step.
    mutating func reach(_ reached: Step) {
        guard reached == step else { return }
        left -= 1
        if left == 0 { kill(getpid(), SIGKILL) }
    }
}
