/// What a stage does with frames that it can't take at once.
public enum OverloadPolicy: Sendable, Hashable {
    /// What comes before it waits: the source, or the stage whose outputs it takes.
    case block
    /// The frame that waits longest goes, and the new one takes its place.
    case dropOldest
    /// The new frame goes.
    case dropNewest
    /// Of every `everyNth` frames the first is taken, by frame id; the others are not for this stage. One
    /// that is for it waits where the source can wait, and goes where it can't.
    case sample(everyNth: Int)
}

/// Why a stage let a frame go by its policy. The raw value is the kind of drop in every account.
enum OverloadReason: String, Sendable, Comparable {
    /// The frame was not one of those that the stage samples.
    case sample
    /// There was no room.
    case overload

    static func < (left: OverloadReason, right: OverloadReason) -> Bool {
        left == .sample && right == .overload
    }
}

/// What becomes of a frame that comes to a stage.
enum OverloadDecision: Hashable {
    case take
    /// It comes again when there is room.
    case wait
    /// It takes the place of the oldest frame that waits.
    case replaceOldest
    case drop(OverloadReason)

    /// Decides by the stage's policy. `waits`: what is before the stage can wait; `hasOlder`: a frame
    /// waits that no worker has had.
    init(
        _ policy: OverloadPolicy, frameId: UInt64, hasRoom: Bool, waits: Bool,
        hasOlder: @autoclosure () -> Bool
    ) {
        switch policy {
        case .block: self = hasRoom ? .take : .wait
        case .dropNewest: self = hasRoom ? .take : .drop(.overload)
        case .dropOldest:
            self = hasRoom ? .take : hasOlder() ? .replaceOldest : .drop(.overload)
        case .sample(let everyNth):
            if (frameId &- 1) % UInt64(max(1, everyNth)) != 0 {
                self = .drop(.sample)
            } else {
                self = hasRoom ? .take : waits ? .wait : .drop(.overload)
            }
        }
    }
}
