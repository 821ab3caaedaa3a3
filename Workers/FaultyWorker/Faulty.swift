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
    private static let message = Setting(
        "message", default: "welcome", choices: Forgery.allCases.map(\.rawValue),
        "The message that outOfPlace sends.")
    private static let probability = Setting(
        "probability", default: 1.0, in: 0...1,
        "For which part of the frames it does it, by a hash of seed, frame id and attempt.")
    private static let seed = Setting("seed", default: 1, in: 0..., "Seed of that hash.")
    private static let sticky = Setting(
        "sticky", default: false,
        "Whether the attempt is left out of the hash: a frame is then bad for good.")
    private static let tag = Setting("tag", default: 0, in: 0..., "Goes into the attribute tag.")

    override static var summary: String { "Does wrong things on demand, for tests." }
    override static var settings: [any SettingDeclaration] {
        [
            misdeed, hook, frames, once, seconds, signal, byteCount, message, probability, seed,
            sticky, tag,
        ]
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
        let isNamed = frames.isEmpty || frames.contains(Int(clamping: frame.frameId))
        if isNamed && isChosen(frame) { try act(in: .process) }
        frameCount += 1
        frame.attributes.set("tag", .int64(Int64(configuration[Self.tag])))
        return frame
    }

    override func stop() throws { try act(in: .stop) }

    override func getStats() -> [String: StatisticValue] {
        actWithoutThrowing(in: .getStats)
        return ["nSurvived": .unsigned(frameCount)]
    }

    override func resetStats() throws {
        try act(in: .resetStats)
        frameCount = 0
    }

    /// Whether the dice, which fall the same in every run, are for this frame.
    private func isChosen(_ frame: Frame) -> Bool {
        let probability = configuration[Self.probability]
        guard probability < 1 else { return true }
        let attempt = configuration[Self.sticky] ? 0 : UInt64(frame.attempt)
        var hash = UInt64(configuration[Self.seed])
        for number in [frame.frameId, frame.branch, attempt] {
            hash = Self.mix(hash &+ 0x9E37_79B9_7F4A_7C15 &+ number)
        }
        return Double(hash >> 11) * 0x1p-53 < probability
    }

    /// The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
    private static func mix(_ number: UInt64) -> UInt64 {
        var mixed = number
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    private func act(in hook: Hook) throws { try act(in: hook, by: configuration) }

    /// A hook that can't throw prints what it would have thrown.
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
                byteCount: configuration[Self.byteCount],
                message: Forgery(rawValue: configuration[Self.message]) ?? .welcome),
            in: hook.rawValue)
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
