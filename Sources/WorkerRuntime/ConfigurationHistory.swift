internal import DataProcessing
internal import WorkerProtocol

/// The configurations that a worker knows by version, and which of them its processors have.
///
/// A change is prepared first and applied by the order to do so, or by the first frame of its version
/// where that comes before; frames that are given out again may ask for an older one, so versions stay
/// known after the next one came.
struct ConfigurationHistory {
    /// The most versions kept; with one change a second that is four minutes, and a frame is given out
    /// again within seconds. The oldest unused one is forgotten first.
    static let maximumCount = 256

    /// What to do to get to some version.
    enum Step {
        /// The processors have this configuration.
        case ready
        /// Give these processors these configurations, in order; then say whether it worked.
        case apply([Change])
        /// The version can't be had here, and why.
        case refuse(CommandFailure)
    }

    /// Another configuration of the processor at `index`.
    struct Change {
        var index: Int
        var configuration: Configuration
    }

    private enum Entry {
        case known([Configuration], wasAnnounced: Bool)
        case failed(CommandFailure)
    }

    /// The version that the processors have.
    private(set) var active: UInt64
    private var entries: [UInt64: Entry]
    private var current: [Configuration]

    /// The history of processors that were started with `configurations`.
    init(version: UInt64, configurations: [Configuration]) {
        active = version
        current = configurations
        entries = [version: .known(configurations, wasAnnounced: true)]
    }

    /// All configurations of `version`, nil when it is not known or could not be applied.
    func configurations(of version: UInt64) -> [Configuration]? {
        guard case .known(let configurations, _) = entries[version] else { return nil }
        return configurations
    }

    /// Whether the version was prepared or used already.
    func isTaken(_ version: UInt64) -> Bool { entries[version] != nil }

    /// Keeps what a change has made of its base.
    mutating func prepare(_ version: UInt64, _ configurations: [Configuration]) {
        entries[version] = .known(configurations, wasAnnounced: false)
        while entries.count > Self.maximumCount,
            let oldest = entries.keys.filter({ $0 != active && $0 != version }).min()
        {
            entries[oldest] = nil
        }
    }

    /// Forgets a version that somebody refused.
    mutating func abandon(_ version: UInt64) {
        if version != active { entries[version] = nil }
    }

    /// What the processors need to get to `version`.
    func step(for version: UInt64) -> Step {
        if version == active { return .ready }
        switch entries[version] {
        case nil:
            return .refuse(
                CommandFailure(
                    .configuration, "configuration version \(version) is not known to this worker"))
        case .failed(let failure): return .refuse(failure)
        case .known(let configurations, _):
            let changes = configurations.indices.filter { configurations[$0] != current[$0] }
                .map { Change(index: $0, configuration: configurations[$0]) }
            return .apply(changes)
        }
    }

    /// The processors have `version` now; true when this is the first time and the controller is to be
    /// told.
    mutating func didApply(_ version: UInt64) -> Bool {
        guard case .known(let configurations, let wasAnnounced) = entries[version] else {
            return false
        }
        active = version
        current = configurations
        entries[version] = .known(configurations, wasAnnounced: true)
        return !wasAnnounced
    }

    /// The processors could not be given `version` and have the one before.
    mutating func didFail(_ version: UInt64, _ failure: CommandFailure) {
        entries[version] = .failed(failure)
    }

    /// What the processor at `index` has now.
    func current(_ index: Int) -> Configuration { current[index] }
}
