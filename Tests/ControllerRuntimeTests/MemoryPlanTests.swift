import NDArrays
import Testing

@testable import ControllerRuntime

@Suite("How memory is shared out")
struct MemoryPlanTests {
    private let page = SharedRegion.roundedToPages(1)

    private func outputs(asked: Int = 0, wanted: Int = 64, least: Int = 3) -> MemoryPlan.Outputs {
        MemoryPlan.Outputs(
            stage: "a", askedSlotByteCount: asked, wantedSlotCount: wanted, leastSlotCount: least)
    }

    private func plan(
        _ limit: Int, input: MemoryPlan.Pool? = nil, _ outputs: MemoryPlan.Outputs...,
        isShared: Bool = true, elementCount: Int? = nil
    ) throws -> MemoryPlan {
        try MemoryPlan(
            limit: limit, input: input, outputs: outputs, isShared: isShared,
            elementCount: elementCount)
    }

    @Test(
        "all pools and the rest for inline outputs stay within the limit",
        arguments: [1 << 20, 10 << 20, 512 << 20, 4 << 30], [1, 2, 5])
    func within(limit: Int, stages: Int) throws {
        let input = MemoryPlan.Pool(slotByteCount: 4 * page, slotCount: 18)
        let plan = try MemoryPlan(
            limit: limit, input: input,
            outputs: Array(repeating: outputs(), count: stages), isShared: true,
            elementCount: nil)
        let pools = plan.outputs.reduce(input.byteCount) { $0 + $1.byteCount }
        #expect(pools + plan.inlineByteCount * stages <= limit)
        #expect(plan.inlineByteCount * stages >= (limit - input.byteCount) / 4 - stages)
        #expect(plan.outputs.allSatisfy { $0.slotCount >= 3 && $0.slotByteCount >= page })
    }

    @Test("a known frame has room as float64, an unknown one 64 MiB where they can be had")
    func slotSizes() throws {
        let known = try plan(4 << 30, outputs(), elementCount: 1 << 20)
        #expect(known.outputs == [.init(slotByteCount: 8 << 20, slotCount: 64)])
        let unknown = try plan(4 << 30, outputs())
        #expect(unknown.outputs == [.init(slotByteCount: 64 << 20, slotCount: 48)])
        let small = try plan(40 << 20, outputs())
        #expect(small.outputs == [.init(slotByteCount: 10 << 20, slotCount: 3)])
        let inline = try plan(40 << 20, outputs(), isShared: false)
        #expect(inline.outputs.isEmpty && inline.inlineByteCount == 40 << 20)
    }

    @Test("what does not fit is refused with what is needed, what is allowed and what to change")
    func refused() {
        let input = MemoryPlan.Pool(slotByteCount: 8 << 20, slotCount: 18)
        let first = #expect(throws: ControllerError.self) { try plan(100 << 20, input: input) }
        for part in ["150994944", "104857600", "memory.maximumBytes", "--in-flight"] {
            #expect(first?.reason.contains(part) == true, "\(part)")
        }
        let second = #expect(throws: ControllerError.self) {
            try plan(200 << 20, input: input, outputs(asked: 64 << 20))
        }
        #expect(second?.reason.contains("outputSlotBytes") == true)
    }

    @Test("more than the machine has is refused; without a wish it is what the machine can spare")
    func limits() throws {
        let machine = MemoryAvailable(byteCount: 2 << 30, reason: "the machine")
        #expect(try MemoryPlan.limit(asked: 0, available: machine) == (2 << 30) / 4 * 3)
        #expect(try MemoryPlan.limit(asked: 1 << 30, available: machine) == 1 << 30)
        #expect(try MemoryPlan.limit(asked: 0, available: nil) == 4 << 30)
        let error = #expect(throws: ControllerError.self) {
            try MemoryPlan.limit(asked: 3 << 30, available: machine)
        }
        #expect(error?.reason.contains("the machine can give only 2147483648") == true)
    }

    @Test("what is free is what Linux calls available, and swap")
    func machine() {
        let text = "MemTotal: 100 kB\nMemFree: 5 kB\nMemAvailable: 40 kB\nSwapFree:    2 kB\n"
        #expect(MemoryAvailable.machine(text)?.byteCount == 42 << 10)
        #expect(MemoryAvailable.machine("") == nil)
        #expect((MemoryAvailable.now()?.byteCount ?? 1) > 0)
    }

    @Test("inline memory is given out up to its limit and comes back")
    func inline() {
        let memory = InlineMemory(limit: 100)
        var first = memory.buffer(byteCount: 60)
        #expect(first != nil && memory.byteCount == 60)
        #expect(memory.buffer(byteCount: 41) == nil)
        first = nil
        #expect(memory.byteCount == 0)
        #expect(memory.buffer(byteCount: 100) != nil)
    }
}
