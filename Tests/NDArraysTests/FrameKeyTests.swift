import NDArrays
import Testing

@Suite("Keys of frames")
struct FrameKeyTests {
    @Test("A key made by children is well formed, and its text names it again")
    func children() throws {
        var key = FrameKey(frameId: 17)
        #expect(key.isWellFormed)
        #expect(key.description == "17")
        for step in [0, 1022, 5, 6, 7, 8] {
            let child = try #require(key.child(step))
            #expect(child.parent == key)
            #expect(child.outputIndex == step)
            #expect(child.isWellFormed)
            #expect(FrameKey(child.description) == child)
            #expect(key < child)
            key = child
        }
        #expect(key.path == [0, 1022, 5, 6, 7, 8])
        #expect(key.child(0) == nil)
        #expect(FrameKey(frameId: 1).child(1023) == nil)
        #expect(FrameKey(frameId: 1).child(-1) == nil)
    }

    @Test(
        "A branch with a step missing or too many is not well formed",
        arguments: [
            1024, 1 << 60, .max, 5 << 20 | 1,
        ] as [UInt64])
    func malformed(branch: UInt64) {
        #expect(!FrameKey(frameId: 1, branch: branch).isWellFormed)
    }

    @Test(
        "Texts that name no frame give none",
        arguments: ["", "/", "1/", "1//2", "-1", "1/1023", "x"])
    func badTexts(text: String) {
        #expect(FrameKey(text) == nil)
    }

    @Test("Source frames come in their order, each before its outputs, those by their index")
    func order() throws {
        let texts = ["1", "1/0", "1/0/5", "1/1", "1/200", "2", "10"]
        let keys = try texts.map { try #require(FrameKey($0)) }
        #expect(keys.reversed().sorted() == keys)
    }
}
