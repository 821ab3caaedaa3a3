import NDArrays
import Testing

@Suite struct FrameKeyTests {
    @Test func `a child's branch packs its index into ten bits`() throws {
        let key = FrameKey(frameId: 17)
        let child = try #require(key.child(0)?.child(3))
        #expect(child.branch == 1 * 1024 + 4)
        #expect(child.path == [0, 3])
        #expect(child.parent == key.child(0))
        #expect(child.outputIndex == 3)
        #expect("\(child)" == "17/0/3")
        #expect("\(key)" == "17")
        #expect(key.outputIndex == nil && key.parent == nil)
    }

    @Test func `a branch ends after six steps and 1023 outputs`() throws {
        var key = FrameKey(frameId: .max)
        #expect(key.child(1023) == nil)
        #expect(key.child(-1) == nil)
        for _ in 0..<6 { key = try #require(key.child(1022)) }
        #expect(key.child(0) == nil)
        #expect(key.path == Array(repeating: 1022, count: 6))
        #expect(FrameKey("\(key)") == key)
    }

    @Test(arguments: ["", "x", "17/", "/3", "17/1023", "17/-1", "1/0/0/0/0/0/0/0", "17//3"])
    func `a text that names no frame is refused`(text: String) {
        #expect(FrameKey(text) == nil)
    }

    @Test func `frames sort by id and each before its outputs`() {
        let texts = ["2", "1/1", "1", "1/0/5", "1/0", "1/1/0"]
        let sorted = texts.compactMap { FrameKey($0) }.sorted().map { "\($0)" }
        #expect(sorted == ["1", "1/0", "1/0/5", "1/1", "1/1/0", "2"])
    }
}
