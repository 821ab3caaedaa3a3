/// A queue of numbers in a ring that grows: constant time at both ends, no allocation in the steady state.
struct IndexQueue {
    private var ring: [Int] = Array(repeating: 0, count: 64)
    private var head = 0
    /// Numbers that wait.
    private(set) var count = 0

    /// Whether nothing waits.
    var isEmpty: Bool { count == 0 }

    /// The number that waits longest.
    var first: Int? { count == 0 ? nil : ring[head] }

    /// Puts a number at the end.
    mutating func append(_ value: Int) {
        if count == ring.count { grow() }
        ring[(head + count) & (ring.count - 1)] = value
        count += 1
    }

    /// Puts a number before all others.
    mutating func prepend(_ value: Int) {
        if count == ring.count { grow() }
        head = (head - 1) & (ring.count - 1)
        ring[head] = value
        count += 1
    }

    /// Puts a number at the front, behind those there that come before it: in as many steps as
    /// there are of those.
    mutating func insert(_ value: Int, behind comesFirst: (Int) -> Bool) {
        prepend(value)
        var place = head
        for _ in 1..<count {
            let next = (place + 1) & (ring.count - 1)
            guard comesFirst(ring[next]) else { return }
            ring.swapAt(place, next)
            place = next
        }
    }

    /// Takes the number that waits longest.
    mutating func popFirst() -> Int? {
        guard count > 0 else { return nil }
        defer {
            head = (head + 1) & (ring.count - 1)
            count -= 1
        }
        return ring[head]
    }

    /// Takes the number that waits longest of those that fit; those before it stay where they are. Costs
    /// as many steps as there are of these.
    mutating func removeFirst(where fits: (Int) -> Bool) -> Int? {
        for offset in 0..<count {
            let value = ring[(head + offset) & (ring.count - 1)]
            guard fits(value) else { continue }
            for place in stride(from: offset, to: 0, by: -1) {
                ring[(head + place) & (ring.count - 1)] =
                    ring[(head + place - 1) & (ring.count - 1)]
            }
            _ = popFirst()
            return value
        }
        return nil
    }

    private mutating func grow() {
        var larger = Array(repeating: 0, count: ring.count * 2)
        for offset in 0..<count { larger[offset] = ring[(head + offset) & (ring.count - 1)] }
        ring = larger
        head = 0
    }
}
