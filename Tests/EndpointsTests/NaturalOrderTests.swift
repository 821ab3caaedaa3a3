import Testing

@testable import Endpoints

@Suite struct NaturalOrderTests {
    private func compare(_ left: String, _ right: String) -> Int {
        Array(left.utf8).withUnsafeBufferPointer { left in
            Array(right.utf8).withUnsafeBufferPointer { NaturalOrder.compare(left, $0).signum() }
        }
    }

    @Test(arguments: [
        ("scan2.tif", "scan10.tif"), ("scan9", "scan10"), ("a", "b"), ("a", "aa"), ("", "0"),
        ("x2y10", "x10y2"), ("x2y9", "x2y10"), ("scan2", "Scan10"), ("Scan2", "scan10"),
        ("B1", "c1"), ("1", "01"), ("01", "2"), ("a/b", "a-1/b"), ("a/2", "a/10"), ("a", "a/b"),
        ("run2/scan10", "run10/scan2"), ("1.tif", "1a.tif"),
        // Numbers longer than any integer type.
        ("n99999999999999999999998", "n99999999999999999999999"),
        ("n99999999999999999999999", "n100000000000000000000000"),
        ("A", "a"), ("a1", "b0"), ("é2", "é10"),
    ])
    func `The first of each pair comes first, and never the other way round`(
        _ first: String, _ second: String
    ) {
        #expect(compare(first, second) == -1)
        #expect(compare(second, first) == 1)
    }

    @Test func `The order is total: two texts differ or are the same bytes, and it is transitive`()
    {
        var generator = SeededGenerator(state: 7)
        let letters = Array("aAbB01209/-.")
        let texts = (0..<160).map { _ in
            String(
                (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                    letters[Int.random(in: 0..<letters.count, using: &generator)]
                })
        }
        for left in texts {
            for right in texts {
                let difference = compare(left, right)
                if difference != -compare(right, left) || (difference == 0) != (left == right) {
                    Issue.record("'\(left)' and '\(right)'")
                }
            }
        }
        let sorted = texts.sorted { compare($0, $1) < 0 }
        for (position, text) in sorted.enumerated() {
            #expect(sorted[position...].allSatisfy { compare(text, $0) <= 0 }, "\(text)")
        }
    }

    @Test func `Sorting does not depend on the order before`() {
        var generator = SeededGenerator(state: 3)
        let expected = (1...200).map { "frame_\($0).tif" }
        #expect(expected.shuffled(using: &generator).sorted { compare($0, $1) < 0 } == expected)
    }
}

/// A generator whose numbers follow from its seed (Knuth's MMIX constants).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
