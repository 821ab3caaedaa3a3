/// Which frame of a run: a frame of the source, or one that came out of it.
///
/// The text form is the id and the output index of every step: `17` is source frame 17, `17/0/3`
/// output 3 of output 0 of it.
public struct FrameKey: Sendable, Hashable {
    /// The most outputs one frame may have in one stage: a step of a branch has 10 bits, and 0 is
    /// "none".
    public static let maximumOutputCount = 1023
    /// The most steps a branch may have: 60 of its 64 bits.
    public static let maximumDepth = 6

    /// Serial of the source frame in the run, gap-free.
    public let frameId: UInt64
    /// 0 for the source frame itself; an output of branch b with index i has b · 1024 + i + 1.
    public let branch: UInt64

    /// The key of a source frame, or of the output of one with `branch` as described there.
    @inlinable
    public init(frameId: UInt64, branch: UInt64 = 0) {
        self.frameId = frameId
        self.branch = branch
    }

    /// Whether `branch` is one that `child` makes: at most `maximumDepth` steps, none of them
    /// missing.
    public var isWellFormed: Bool {
        guard branch >> 60 == 0 else { return false }
        var rest = branch
        while rest != 0 {
            if rest & 1023 == 0 { return false }
            rest >>= 10
        }
        return true
    }

    /// The key of output `index` of this frame; nil when there are more than `maximumOutputCount`
    /// outputs or more than `maximumDepth` steps.
    public func child(_ index: Int) -> FrameKey? {
        guard (0..<Self.maximumOutputCount).contains(index), branch >> 50 == 0 else { return nil }
        return FrameKey(frameId: frameId, branch: branch << 10 | UInt64(index + 1))
    }

    /// The frame this one came out of; nil for a source frame.
    public var parent: FrameKey? {
        branch == 0 ? nil : FrameKey(frameId: frameId, branch: branch >> 10)
    }

    /// Which output of its parent it is; nil for a source frame.
    public var outputIndex: Int? { branch == 0 ? nil : Int(branch & 1023) - 1 }

    /// The output indexes from the source frame down, empty for a source frame.
    public var path: [Int] {
        var steps: [Int] = []
        var rest = branch
        while rest != 0 {
            steps.append(Int(rest & 1023) - 1)
            rest >>= 10
        }
        return steps.reversed()
    }

    /// The key that a text such as `17/0/3` names, nil when it names none.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let frameId = UInt64(first) else { return nil }
        var key = FrameKey(frameId: frameId)
        for part in parts.dropFirst() {
            guard let index = Int(part), let next = key.child(index) else { return nil }
            key = next
        }
        self = key
    }
}

extension FrameKey: Comparable {
    /// Source frames in their order, each before its outputs.
    public static func < (left: FrameKey, right: FrameKey) -> Bool {
        left.frameId == right.frameId
            ? left.path.lexicographicallyPrecedes(right.path) : left.frameId < right.frameId
    }
}

extension FrameKey: CustomStringConvertible {
    /// The text form.
    public var description: String {
        branch == 0
            ? "\(frameId)" : ([String(frameId)] + path.map(String.init)).joined(separator: "/")
    }
}
