/// How many slots the source's pool has, and how many frames each first stage may have open.
///
/// A stage that drops has a limit of its own, and the pool has that many slots for it beside those of
/// the stages that wait: so it never takes from them, however slow it is.
struct InputShares: Equatable {
    /// A stage that takes the source's frames.
    struct Demand {
        var policy: OverloadPolicy
        /// Whether the source waits for it.
        var waits: Bool
        /// Frames that its workers may have at a time.
        var credit: Int
        /// Frames that may wait for its workers; nil: the standard.
        var queueLimit: Int?
        /// Frames that the stages behind it may have: what goes through unchanged stays in its slot.
        var behind = 0

        /// Whether nothing but slots limits it.
        var isPlain: Bool { policy == .block && queueLimit == nil }

        /// Slots that it needs to go on undisturbed.
        var slotCount: Int { openCount + behind }

        /// Frames that it has open then.
        var openCount: Int {
            if waits { return credit + (queueLimit ?? Self.spareSlots) }
            let spare = policy == .dropOldest ? Self.spareSlots : 0
            return credit + (queueLimit ?? credit) + spare
        }

        /// Slots beyond those at work: one is being filled, one is on its way.
        static let spareSlots = 2
    }

    /// Small frames get more slots, so that the source is woken for many at a time: eight for each
    /// that may be in flight, as long as all of them take no more than 4 MiB.
    static let smallFramesPerCredit = 8
    static let smallPoolByteCount = 4 << 20

    /// Slots of the pool; 0 where frames need none.
    var slotCount = 0
    /// Source frames that may be open while the source waits for stages.
    var openLimit: Int
    /// What the intake has to know of every stage.
    var stages: [IntakeStage]

    /// Shares for these stages. `slotByteCount` 0: frames need no slots; `askedSlotCount` 0: nobody says
    /// how many.
    init(_ demands: [Demand], slotByteCount: Int, askedSlotCount: Int) {
        let credit = demands.reduce(0) { $0 + $1.credit }
        let need = demands.reduce(0) { $0 + $1.slotCount }
        if slotByteCount > 0 {
            let affordable = Self.smallPoolByteCount / slotByteCount
            slotCount =
                askedSlotCount > 0
                ? askedSlotCount : max(need, min(Self.smallFramesPerCredit * credit, affordable))
        }
        let count = slotByteCount > 0 ? slotCount : need
        stages = demands.map { demand in
            var limit = Int.max
            if demand.waits {
                if let queueLimit = demand.queueLimit { limit = demand.credit + queueLimit }
            } else if count < need {
                limit = max(1, demand.openCount * count / need)
            } else {
                // What is to spare helps where the engine trims the queue a moment later.
                let spare = demand.policy == .dropOldest ? (count - need) / demands.count : 0
                limit = demand.openCount + spare
            }
            return IntakeStage(policy: demand.policy, waits: demand.waits, openLimit: limit)
        }
        let dropping = zip(demands, stages).reduce(0) {
            $0 + ($1.0.waits ? 0 : $1.1.openLimit)
        }
        openLimit = max(2 * credit + 2 + dropping, slotCount)
    }
}
