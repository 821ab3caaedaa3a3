internal import NDArrays

/// How the memory of a run is shared out: the source's pool, the pools of outputs, and the rest for pixels that
/// come inside messages.
struct MemoryPlan: Equatable {
    /// A stage whose outputs somebody takes.
    struct Outputs {
        var stage: String
        /// Bytes of a slot that were asked for; 0: nobody says.
        var askedSlotByteCount: Int
        /// Slots with which its workers and those behind them go on undisturbed, and without which they
        /// can't go on at all.
        var wantedSlotCount: Int
        var leastSlotCount: Int
    }

    /// A pool: slots of equal size.
    struct Pool: Equatable {
        var slotByteCount: Int
        var slotCount: Int

        /// Bytes of all slots; the largest number where that is too much to count.
        var byteCount: Int {
            let (product, overflow) = slotByteCount.multipliedReportingOverflow(by: slotCount)
            return overflow ? .max : product
        }
    }

    /// Most bytes of a run where nobody says: what a pipeline of large frames needs, and little beside the
    /// memory of a machine that has a detector.
    static let standardByteCount = 4 << 30
    /// Bytes of an output slot where nobody knows the shape of the frames: room for 2896² float64 or
    /// 4096² float32.
    static let standardSlotByteCount = 64 << 20

    /// The source's pool; nil where frames need no slots.
    var input: Pool?
    /// Pools of the stages with outputs, in their order; empty where pixels go inline.
    var outputs: [Pool] = []
    /// Bytes for payloads that come inside messages, for each stage with outputs.
    var inlineByteCount: Int

    /// The limit of a run: what was asked for, or the standard where the machine has it.
    ///
    /// - Throws: `ControllerError(.resources)` when more was asked for than there is.
    static func limit(asked: Int, available: MemoryAvailable?) throws(ControllerError) -> Int {
        guard asked > 0 else {
            return available.map { min(standardByteCount, $0.byteCount / 4 * 3) }
                ?? standardByteCount
        }
        if let available, asked > available.byteCount {
            throw ControllerError(
                .resources,
                "the memory limit is \(asked) bytes, but \(available.reason) can give only "
                    + "\(available.byteCount); set memory.maximumBytes (--memory) to less, or free some"
            )
        }
        return asked
    }

    /// Shares out `limit` bytes. `elementCount`: pixels of a frame, nil where nobody knows.
    ///
    /// - Throws: `ControllerError(.resources)` with what is needed, what is allowed and what to change.
    init(
        limit: Int, input: Pool?, outputs: [Outputs], isShared: Bool, elementCount: Int?
    ) throws(ControllerError) {
        self.input = input
        let inputByteCount = input?.byteCount ?? 0
        guard inputByteCount <= limit else {
            throw Self.refusal(
                "the source's pool needs \(Self.text(input))", limit,
                "fewer frames in flight (--in-flight, --workers), or a smaller pool.inputSlots")
        }
        let rest = limit - inputByteCount
        // A quarter stays for outputs that have no slot; each stage has the same part, so that none
        // can take what the next one needs to go on.
        let share = isShared && !outputs.isEmpty ? rest / 4 * 3 / outputs.count : 0
        for output in isShared ? outputs : [] {
            let pool = Self.pool(of: output, share: share, elementCount: elementCount)
            guard pool.byteCount <= share else {
                throw Self.refusal(
                    "the output pool of stage \(output.stage) needs \(Self.text(pool)) and its share "
                        + "is \(share) bytes", limit,
                    "smaller slots (outputSlotBytes), or fewer workers")
            }
            self.outputs.append(pool)
        }
        let left = rest - self.outputs.reduce(0) { $0 + $1.byteCount }
        inlineByteCount = outputs.isEmpty ? left : left / outputs.count
    }

    private static func pool(of output: Outputs, share: Int, elementCount: Int?) -> Pool {
        let most = share / output.leastSlotCount
        var slotByteCount = pages(output.askedSlotByteCount)
        if output.askedSlotByteCount == 0 {
            // Room for the pixels as float64, the largest element type, where they are known.
            let wanted = elementCount.map { min($0, .max / 8) * 8 } ?? standardSlotByteCount
            let page = pages(1)
            slotByteCount = max(
                page, min(pages(wanted), most / page * page))
        }
        let affordable = share / slotByteCount
        return Pool(
            slotByteCount: slotByteCount,
            slotCount: max(output.leastSlotCount, min(output.wantedSlotCount, affordable)))
    }

    /// Whole pages with at least so many bytes; of a number that is too large to be rounded up, what is
    /// too large as well.
    static func pages(_ byteCount: Int) -> Int {
        SharedRegion.roundedToPages(max(1, min(byteCount, .max - 4095)))
    }

    private static func text(_ pool: Pool?) -> String {
        pool.map { "\($0.byteCount) bytes (\($0.slotCount) slots of \($0.slotByteCount))" }
            ?? "none"
    }

    private static func refusal(_ what: String, _ limit: Int, _ remedy: String) -> ControllerError {
        ControllerError(
            .resources,
            "\(what), the memory limit of the run is \(limit) bytes; allow more "
                + "(memory.maximumBytes, --memory), or ask for \(remedy)")
    }
}
