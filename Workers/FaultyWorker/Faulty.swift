import DataProcessing
import Glibc

/// Does what its settings say: wrong things, in a hook, for some frames.
final class Faulty: UserDataProcessor {
    /// The hooks in which it can do something.
    enum Hook: String, CaseIterable {
        case initialize = "init"
        case configure, validate, start, process, stop, getStats, resetStats
    }

    private static let misdeed = Setting(
        "misdeed", default: "none", choices: Misdeed.allCases.map(\.rawValue), "What it does.")
    private static let hook = Setting(
        "hook", default: "process", choices: Hook.allCases.map(\.rawValue), "Where it does it.")
    private static let frames = Setting<[Int]>(
        "frames", default: [], "Ids of the frames for which it does it; none means all.")
    private static let once = Setting(
        "once", path: "", "A file: when it exists nothing is done, and it is made before.")
    private static let seconds = Setting(
        "seconds", default: 1.0, in: 0...3600, unit: "s", "How long it sleeps.")
    private static let signal = Setting(
        "signal", default: 9, in: 1...64, "The signal that it sends itself.")
    private static let byteCount = Setting(
        "bytes", default: 1 << 30, in: 0...(1 << 40), unit: "B", "How much memory it takes.")
    private static let tag = Setting("tag", default: 0, in: 0..., "Goes into the attribute tag.")

    override static var summary: String { "Does wrong things on demand, for tests." }
    override static var settings: [any SettingDeclaration] {
        [misdeed, hook, frames, once, seconds, signal, byteCount, tag]
    }

    private var configuration: Configuration
    private var frameCount: UInt64 = 0

    required init(configuration: Configuration) throws {
        self.configuration = configuration
        try super.init(configuration: configuration)
        try act(in: .initialize)
    }

    override func validate(_ configuration: Configuration) throws {
        try act(in: .validate, by: configuration)
    }

    override func configure(_ configuration: Configuration) throws {
        try act(in: .configure, by: configuration)
        self.configuration = configuration
    }

    override func start() throws { try act(in: .start) }

    override func process(_ frame: Frame) throws -> Frame? {
        let frames = configuration[Self.frames]
        if frames.isEmpty || frames.contains(Int(clamping: frame.frameId)) { try act(in: .process) }
        frameCount += 1
        frame.attributes.set("tag", .int64(Int64(configuration[Self.tag])))
        return frame
    }

    override func stop() throws { try act(in: .stop) }

    override func getStats() -> [String: StatisticValue] {
        actWithoutThrowing(in: .getStats)
        return ["nSurvived": .unsigned(frameCount)]
    }

    override func resetStats() {
        actWithoutThrowing(in: .resetStats)
        frameCount = 0
    }

    private func act(in hook: Hook) throws { try act(in: hook, by: configuration) }

    /// Hooks that can't throw print what they would have thrown.
    private func actWithoutThrowing(in hook: Hook) {
        do {
            try act(in: hook)
        } catch {
            print("\(error)")
        }
    }

    private func act(in hook: Hook, by configuration: Configuration) throws {
        guard configuration[Self.hook] == hook.rawValue,
            let misdeed = Misdeed(rawValue: configuration[Self.misdeed]), misdeed != .none
        else { return }
        let marker = configuration[Self.once]
        if !marker.isEmpty {
            let file = open(marker, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o644)
            if file < 0 { return }
            close(file)
        }
        try misdeed.commit(
            Misdeed.Details(
                signal: Int32(configuration[Self.signal]), seconds: configuration[Self.seconds],
                byteCount: configuration[Self.byteCount]), in: hook.rawValue)
    }
}

/// Takes its time for every frame.
final class Slow: UserDataProcessor {
    private static let milliseconds = Setting(
        "milliseconds", default: 10.0, in: 0...3_600_000, unit: "ms", "Time for a frame.")
    private static let isBusy = Setting(
        "isBusy", default: false, "Whether it computes instead of sleeping.")

    override static var summary: String { "Takes a fixed time for every frame, for tests." }
    override static var settings: [any SettingDeclaration] { [milliseconds, isBusy] }

    private var configuration: Configuration

    required init(configuration: Configuration) throws {
        self.configuration = configuration
        try super.init(configuration: configuration)
    }

    override func configure(_ configuration: Configuration) throws {
        self.configuration = configuration
    }

    override func process(_ frame: Frame) throws -> Frame? {
        let seconds = configuration[Self.milliseconds] / 1000
        guard configuration[Self.isBusy] else {
            Misdeed.sleep(seconds: seconds)
            return frame
        }
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {}
        return frame
    }
}
