import Testing

@testable import ControllerRuntime

@Suite struct FruitlessCountTests {
    private var count = FruitlessCount()

    @Test mutating func `lives without a frame add up until one is finished`() {
        for _ in 0..<3 { count.add(finishedFrames: 0, isConviction: false, isHeld: false) }
        #expect(count.lives == 3 && count.worst == 3)
        count.add(finishedFrames: 1, isConviction: false, isHeld: false)
        #expect(count.lives == 0 && count.worst == 0)
    }

    @Test mutating func `the lives that a bad frame took are that frame's`() {
        for number in 1...4 {
            count.add(finishedFrames: 0, isConviction: false, isHeld: false)
            count.add(finishedFrames: 0, isConviction: false, isHeld: false)
            count.add(finishedFrames: 0, isConviction: true, isHeld: false)
            #expect(count.lives == 0 && count.convictions == number && count.worst == number)
        }
        count.add(finishedFrames: 7, isConviction: true, isHeld: false)
        #expect(count.convictions == 1, "frames were finished before the bad one")
    }

    @Test mutating func `while the stage is held only the pauses between lives grow`() {
        count.add(finishedFrames: 0, isConviction: false, isHeld: false)
        for _ in 0..<5 { count.add(finishedFrames: 0, isConviction: true, isHeld: true) }
        #expect(count.worst == 1 && count.livesOnHold == 5)
        count.add(finishedFrames: 0, isConviction: false, isHeld: false)
        #expect(count.worst == 2 && count.livesOnHold == 0)
    }
}
