internal import NDArrays

/// Which sealed frames the stages of a run have accepted, so that none is accepted twice.
///
/// Of every sender's run it keeps a bit for each frame, and of long rows of frames only where they begin and
/// end: a run that gets all frames of a sender needs a few words, one that gets every second frame a bit
/// for each of both.
struct ClaimRegister: Equatable, Sendable {
    /// Most words of 64 frames that are not in a row, 40 MB: 67 million frames of which some are missing in
    /// every 64. Beyond it new frames are refused; only somebody who makes up ids gets there before.
    static let maximumWordCount = 1 << 20

    /// What became of a claim.
    enum Answer: Equatable {
        case entered
        /// It was accepted before.
        case taken
        /// There is no room for another.
        case full
    }

    /// Frame ids are those of one branch, of one sender's run, in one stage.
    private struct Scope: Hashable, Sendable {
        var stage: UInt16
        var name: String
        var branch: UInt64

        init(_ claim: FrameClaim, stage: UInt16) {
            self.stage = stage
            name = claim.scope
            branch = claim.key.branch
        }
    }

    private var scopes: [Scope: ClaimedIds] = [:]
    /// Words in all scopes.
    private(set) var wordCount = 0

    /// Nothing accepted yet.
    init() {}

    /// Enters a claim of a frame in a stage; only one that was free is changed. A ledger that is read again
    /// has no limit: what was accepted must not be forgotten.
    mutating func enter(
        _ claim: FrameClaim, stage: UInt16, maximumWordCount: Int = maximumWordCount
    ) -> Answer {
        let scope = Scope(claim, stage: stage)
        let id = claim.key.frameId
        let before = scopes[scope]?.wordCount ?? 0
        if let ids = scopes[scope], ids.contains(id) { return .taken }
        let needsWord = scopes[scope].map { !$0.hasWord(of: id) } ?? true
        guard !needsWord || wordCount < maximumWordCount else { return .full }
        scopes[scope, default: ClaimedIds()].insert(id)
        wordCount += (scopes[scope]?.wordCount ?? 0) - before
        return .entered
    }

    /// Forgets a claim: its frame did not go through.
    mutating func remove(_ claim: FrameClaim, stage: UInt16) {
        let scope = Scope(claim, stage: stage)
        guard let before = scopes[scope]?.wordCount else { return }
        scopes[scope]?.remove(claim.key.frameId)
        let after = scopes[scope]?.wordCount ?? 0
        wordCount += after - before
        if after == 0 { scopes[scope] = nil }
    }

    /// Whether a claim was accepted in a stage.
    func contains(_ claim: FrameClaim, stage: UInt16) -> Bool {
        scopes[Scope(claim, stage: stage)]?.contains(claim.key.frameId) ?? false
    }
}

/// Frame ids as words of 64: whole ones as ranges, the others one by one.
private struct ClaimedIds: Equatable, Sendable {
    private var whole = FrameIdRanges()
    private var parts: [UInt64: UInt64] = [:]

    /// What has to be kept: parts and ranges.
    var wordCount: Int { parts.count + whole.ranges.count }

    func contains(_ id: UInt64) -> Bool {
        if let part = parts[id >> 6] { return part & Self.bit(id) != 0 }
        return whole.contains(id >> 6)
    }

    /// Whether the word of an id is kept already.
    func hasWord(of id: UInt64) -> Bool { parts[id >> 6] != nil }

    mutating func insert(_ id: UInt64) {
        let part = parts[id >> 6, default: 0] | Self.bit(id)
        if part == .max {
            parts[id >> 6] = nil
            whole.insert(id >> 6)
        } else {
            parts[id >> 6] = part
        }
    }

    mutating func remove(_ id: UInt64) {
        if whole.contains(id >> 6) {
            whole.remove(id >> 6)
            parts[id >> 6] = .max
        }
        guard var part = parts[id >> 6] else { return }
        part &= ~Self.bit(id)
        parts[id >> 6] = part == 0 ? nil : part
    }

    private static func bit(_ id: UInt64) -> UInt64 { 1 << (id & 63) }
}
