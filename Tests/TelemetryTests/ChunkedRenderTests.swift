import Telemetry
import TestSupport
import Testing

@Suite struct ChunkedRenderTests {
    private func renderer(
        maxQueue: Int = 2048, maxItems: Int = 64, maxBytes: Int = 1400
    ) throws -> ChunkedRender {
        try ChunkedRender(
            GivenLines(), options: .init(maxQueue: maxQueue, maxItems: maxItems, maxBytes: maxBytes)
        )
    }

    @Test func `The defaults are plumd's`() throws {
        let options = try ChunkedRender(GivenLines()).options
        #expect(options.maxQueue == 2048 && options.maxItems == 64 && options.maxBytes == 1400)
        #expect(options.meta == Meta())
    }

    @Test func `P1: a chunk with exactly as many bytes as it may have is sealed without flush`()
        throws
    {
        let render = try renderer(maxBytes: 60)
        render.process(.lines(3, byteCount: 20))
        #expect(render.takeChunks().map(\.bytes.count) == [60])
        #expect(render.flush() == nil)
    }

    @Test func `P2: what would bring a chunk above its bytes begins the next`() throws {
        let render = try renderer(maxBytes: 61)
        render.process(.lines(4, byteCount: 20))
        #expect(render.takeChunks().map(\.bytes.count) == [60])
        #expect(render.flush()?.bytes.count == 20)
    }

    @Test func `P3: a chunk has 64 lines by default`() throws {
        let render = try renderer()
        render.process(.lines(65, byteCount: 3))
        #expect(render.takeChunks().map(\.lineCount) == [64])
        #expect(render.flush()?.lineCount == 1)
    }

    @Test
    func
        `P4: a line of the limit is alone in its chunk, one above it is refused and its neighbours stay`()
        throws
    {
        let render = try renderer(maxBytes: 20)
        let exact = String(repeating: "e", count: 19)
        render.process(.lines(["a", exact, "b", exact + "e", "c"]))
        #expect(render.takeChunks().map(\.text) == ["a\n", exact + "\n"])
        #expect(render.flush()?.text == "b\nc\n")
        #expect(render.counts.render.oversizeDropped == 1)
        #expect(render.counts.render.lines == 4)
    }

    @Test func `P5: the limit counts bytes, not characters`() throws {
        let render = try renderer(maxBytes: 7)
        // Two bytes each: 7 with the line feed, then 9.
        render.process(.lines(["ééé", "éééé"]))
        #expect(render.takeChunks().map(\.text) == ["ééé\n"])
        #expect(render.counts.render.oversizeDropped == 1)
        #expect(render.flush() == nil)
    }

    @Test func `P6: a writer that never reads has the newest chunks and delays nobody`() throws {
        let render = try renderer(maxQueue: 4, maxItems: 1)
        let fast = try render.register("fast")
        let slow = try render.register("slow")
        for number in 0..<10 {
            render.process(.lines(["\(number)"]))
            #expect(fast.next(timeout: .zero)?.text == "\(number)\n")
        }
        #expect(slow.count == 4 && slow.counts.dropped == 6 && slow.counts.highWater == 4)
        #expect(slow.counts.byteCount == 8)
        #expect(
            (0..<4).map { _ in slow.next(timeout: .zero)?.text } == ["6\n", "7\n", "8\n", "9\n"])
        #expect(slow.counts.byteCount == 0 && fast.counts.dropped == 0)
        #expect(fast.counts.taken == 10)
    }

    @Test func `P7: a second registration of a name is refused and the first queue goes on`() throws
    {
        let render = try renderer(maxItems: 1)
        let queue = try render.register("tcp")
        let error = #expect(throws: RenderError.self) { try render.register("tcp") }
        #expect(error?.description == "duplicate writer registered: tcp")
        render.process(.lines(["a"]))
        #expect(queue.next(timeout: .zero)?.text == "a\n")
    }

    @Test func `P8: deregistering somebody unknown is nothing`() throws {
        let render = try renderer()
        render.deregister("nobody")
        #expect(render.counts == ChunkedRender.Counts())
    }

    @Test func `P9: flush without lines gives nothing, also the second time`() throws {
        let render = try renderer()
        #expect(render.flush() == nil && render.flush() == nil)
        render.process(.lines(["a"]))
        #expect(render.flush() != nil)
        #expect(render.flush() == nil && render.counts.chunks == 1)
    }

    @Test(arguments: 0..<40)
    func `P12: the chunks together are what is rendered without chunks`(_ seed: UInt64) throws {
        var numbers = SeededNumbers(seed: seed)
        let maxBytes = Int.random(in: 0...40, using: &numbers)
        let maxItems = Int.random(in: 0...5, using: &numbers)
        let render = try renderer(maxQueue: 10_000, maxItems: maxItems, maxBytes: maxBytes)
        let queue = try render.register("all")
        var expected = ""
        for _ in 0..<200 {
            let lines = (0..<Int.random(in: 0...4, using: &numbers)).map { _ in
                String(repeating: "é", count: Int.random(in: 0...24, using: &numbers))
            }
            render.process(.lines(lines))
            for line in lines where maxBytes == 0 || line.utf8.count < maxBytes {
                expected += line + "\n"
            }
            if Int.random(in: 0..<50, using: &numbers) == 0 { render.flush() }
        }
        render.flush()
        var chunks: [Chunk] = []
        while let chunk = queue.next(timeout: .zero) { chunks.append(chunk) }
        #expect(chunks.map(\.text).joined() == expected)
        #expect(chunks.map(\.serial) == chunks.indices.map { UInt64($0 + 1) })
        for chunk in chunks {
            #expect(maxBytes == 0 || chunk.bytes.count <= maxBytes)
            #expect(maxItems == 0 || chunk.lineCount <= maxItems)
            #expect(chunk.text.hasSuffix("\n"))
            #expect(
                chunk.text.split(separator: "\n", omittingEmptySubsequences: false).count == chunk
                    .lineCount + 1)
        }
    }

    @Test(arguments: 0..<10)
    func `P13: several sets at once are as one after the other`(_ seed: UInt64) throws {
        var results = SeededResults(seed: seed)
        let sets = (0..<20).map { _ in results.set() }
        let options = ChunkedRender.Options(maxBytes: 300, meta: ["host": "det1"])
        let many = try ChunkedRender(InfluxRender(), options: options)
        many.processMany(sets)
        let one = try ChunkedRender(InfluxRender(), options: options)
        for set in sets { one.process(set) }
        #expect(many.takeChunks() == one.takeChunks())
        #expect(many.flush() == one.flush())
        #expect(many.counts == one.counts)
    }

    @Test func `Limits of 0 are none, negative ones are refused`() throws {
        let render = try renderer(maxItems: 0, maxBytes: 0)
        render.process(.lines(5000, byteCount: 100))
        #expect(render.takeChunks().isEmpty)
        #expect(render.flush()?.bytes.count == 500_000)
        #expect(throws: RenderError.self) { try renderer(maxItems: -1) }
        #expect(throws: RenderError.self) { try renderer(maxBytes: -1) }
        #expect(throws: RenderError.self) { try renderer(maxQueue: 0) }
    }

    @Test
    func `Without a writer the renderer keeps the newest chunks; a writer sees only later ones`()
        throws
    {
        let render = try renderer(maxQueue: 3, maxItems: 1)
        render.process(.lines(["1", "2", "3", "4", "5"]))
        let queue = try render.register("late")
        render.process(.lines(["6"]))
        #expect(render.takeChunks().map(\.text) == ["3\n", "4\n", "5\n"])
        #expect(render.counts.droppedWithoutWriter == 2)
        #expect(queue.next(timeout: .zero)?.text == "6\n")
        #expect(queue.next(timeout: .zero) == nil)
    }

    @Test func `Deregistering discards what was queued, counts it and ends the queue`() throws {
        let render = try renderer(maxItems: 1)
        let queue = try render.register("tcp")
        render.process(.lines(["1", "2"]))
        render.deregister("tcp")
        #expect(queue.isFinished && queue.counts.discarded == 2 && queue.counts.byteCount == 0)
        #expect(render.counts.discarded == 2)
        #expect(queue.next(timeout: nil) == nil)
        let again = try render.register("tcp")
        render.process(.lines(["3"]))
        #expect(again.next(timeout: .zero)?.text == "3\n")
    }

    @Test func `dropNewest keeps the oldest`() throws {
        let render = try renderer(maxQueue: 2, maxItems: 1)
        let queue = try render.register("tcp", whenFull: .dropNewest)
        render.process(.lines(["1", "2", "3", "4"]))
        #expect(queue.counts.dropped == 2 && queue.counts.offered == 4)
        #expect(queue.next(timeout: .zero)?.text == "1\n")
        #expect(queue.next(timeout: .zero)?.text == "2\n")
        #expect(queue.next(timeout: .zero) == nil)
    }

    @Test(.timeLimit(.minutes(1)))
    func `block waits for room, and drops the new chunk when the time is over`() async throws {
        let render = try renderer(maxQueue: 1, maxItems: 1)
        let queue = try render.register("tcp", whenFull: .block(timeout: .milliseconds(1)))
        render.process(.lines(["1", "2"]))
        #expect(queue.counts.dropped == 1)
        let patient = try renderer(maxQueue: 1, maxItems: 1)
        let slow = try patient.register("tcp", whenFull: .block(timeout: .seconds(60)))
        let all = Task.detached { patient.process(.lines((0..<100).map { "\($0)" })) }
        for number in 0..<100 { #expect(slow.next(timeout: nil)?.text == "\(number)\n") }
        await all.value
        #expect(slow.counts.dropped == 0 && slow.counts.highWater == 1)
    }

    @Test(.timeLimit(.minutes(1)))
    func `A writer that blocks delays neither another writer nor its own end`() async throws {
        let render = try renderer(maxQueue: 1, maxItems: 1)
        let blocking = try render.register("blocking", whenFull: .block(timeout: .seconds(60)))
        let other = try render.register("other")
        let producer = Task.detached { render.process(.lines(["1", "2"])) }
        // The second chunk is there although the first writer has no room for it.
        while other.next(timeout: nil)?.text != "2\n" {}
        let late = try render.register("late")
        render.deregister("blocking")
        await producer.value
        #expect(blocking.isFinished && late.count == 0)
    }

    @Test func `A queue holds at most as many bytes as its chunks may have together`() throws {
        let render = try ChunkedRender(GivenLines())
        let queue = try render.register("never reads")
        for _ in 0..<40 { render.process(.lines(6400, byteCount: 21)) }
        #expect(queue.count == 2048 && queue.counts.highWater == 2048)
        #expect(queue.counts.byteCount <= 2048 * 1400)
        #expect(queue.counts.dropped == queue.counts.offered - 2048)
    }

    @Test(.timeLimit(.minutes(1)))
    func `A queue is an async sequence that ends with its writer`() async throws {
        let render = try renderer(maxItems: 1)
        let queue = try render.register("task")
        let reading = Task {
            var texts: [String] = []
            for await chunk in queue { texts.append(chunk.text) }
            return texts
        }
        render.process(.lines(["1", "2", "3"]))
        let areTaken = Deadline(milliseconds: 30_000).wait { queue.counts.taken == 3 }
        #expect(areTaken)
        render.deregister("task")
        #expect(await reading.value == ["1\n", "2\n", "3\n"])
    }

    @Test(.timeLimit(.minutes(1)))
    func `A task that waits for a chunk ends when it is cancelled, and no chunk is lost for it`()
        async throws
    {
        let render = try renderer(maxItems: 1)
        let queue = try render.register("task")
        for _ in 0..<50 {
            let waiting = Task { await queue.makeAsyncIterator().next() }
            waiting.cancel()
            #expect(await waiting.value == nil)
        }
        render.process(.lines(["1"]))
        #expect(await queue.makeAsyncIterator().next()?.text == "1\n")
    }

    @Test(.timeLimit(.minutes(1)))
    func
        `Several threads that render give whole lines, and all writers the same chunks in the same order`()
        async throws
    {
        let render = try renderer(maxQueue: 100_000, maxItems: 7)
        let queues = try (0..<3).map { try render.register("writer \($0)") }
        await withTaskGroup { group in
            for task in 0..<4 {
                group.addTask {
                    for number in 0..<500 {
                        render.process(.lines(["\(task) \(number) a", "\(task) \(number) b"]))
                    }
                }
            }
        }
        render.flush()
        var all: [[Chunk]] = []
        for queue in queues {
            var chunks: [Chunk] = []
            while let chunk = queue.next(timeout: .zero) { chunks.append(chunk) }
            all.append(chunks)
        }
        #expect(all[0] == all[1] && all[1] == all[2])
        let lines = all[0].map(\.text).joined().split(separator: "\n").map(String.init)
        #expect(lines.count == 4000)
        for task in 0..<4 {
            let own = lines.filter { $0.hasPrefix("\(task) ") }
            #expect(own == (0..<500).flatMap { ["\(task) \($0) a", "\(task) \($0) b"] })
        }
    }
}

@Suite struct BasicRenderTests {
    @Test func `The text, the debug text and the metrics are what was rendered since reset`() throws
    {
        let render = try BasicRender(GivenLines())
        render.process(.lines(["a", "b"]))
        render.processMany([.lines(["c"]), .lines([])])
        #expect(render.getMetrics() == ["a\n", "b\n", "c\n"])
        #expect("\(render)" == "a\nb\nc\n")
        #expect(String(reflecting: render) == "a\nb\nc\n")
        render.reset()
        #expect(render.getMetrics().isEmpty && "\(render)".isEmpty)
        #expect(render.counts.lines == 3)
    }

    @Test func `It has no limit unless it is given one, and then it counts`() throws {
        let render = try BasicRender(GivenLines())
        render.process(.lines(100_000, byteCount: 2))
        #expect(render.getMetrics().count == 100_000)
        let limited = try BasicRender(GivenLines(), maxQueue: 2)
        limited.process(.lines(["a", "b", "c"]))
        #expect("\(limited)" == "a\nb\n" && limited.droppedCount == 1)
        #expect(throws: RenderError.self) { try BasicRender(GivenLines(), maxQueue: -1) }
    }
}
