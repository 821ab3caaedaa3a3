/// Frame ids as sorted ranges that neither overlap nor touch: a run that closes its frames nearly in
/// order needs a handful of them, however long it is.
package struct FrameIdRanges: Sendable, Hashable {
    /// The ranges, the lowest first.
    package private(set) var ranges: [ClosedRange<UInt64>] = []
    /// Number of ids.
    package private(set) var count: UInt64 = 0

    /// No id.
    package init() {}

    /// Adds an id; one that is in already stays.
    package mutating func insert(_ id: UInt64) {
        if let last = ranges.last, id > last.upperBound {
            // The usual case: ids come nearly in order.
            if last.upperBound + 1 == id {
                ranges[ranges.count - 1] = last.lowerBound...id
            } else {
                ranges.append(id...id)
            }
            count &+= 1
            return
        }
        let index = firstRange(endingAtOrAfter: id)
        guard index < ranges.count else { return begin(with: id) }
        if ranges[index].contains(id) { return }
        count &+= 1
        let joinsBefore = index > 0 && ranges[index - 1].upperBound + 1 == id
        let joinsAfter = ranges[index].lowerBound - 1 == id
        switch (joinsBefore, joinsAfter) {
        case (true, true):
            ranges[index - 1] = ranges[index - 1].lowerBound...ranges[index].upperBound
            ranges.remove(at: index)
        case (true, false): ranges[index - 1] = ranges[index - 1].lowerBound...id
        case (false, true): ranges[index] = id...ranges[index].upperBound
        case (false, false): ranges.insert(id...id, at: index)
        }
    }

    private mutating func begin(with id: UInt64) {
        ranges.append(id...id)
        count &+= 1
    }

    /// Takes an id out; one that is not in is no matter.
    package mutating func remove(_ id: UInt64) {
        let index = firstRange(endingAtOrAfter: id)
        guard index < ranges.count, ranges[index].contains(id) else { return }
        count &-= 1
        let range = ranges[index]
        switch (range.lowerBound == id, range.upperBound == id) {
        case (true, true): ranges.remove(at: index)
        case (true, false): ranges[index] = id + 1...range.upperBound
        case (false, true): ranges[index] = range.lowerBound...id - 1
        case (false, false):
            ranges[index] = range.lowerBound...id - 1
            ranges.insert(id + 1...range.upperBound, at: index + 1)
        }
    }

    /// Whether an id is in.
    package func contains(_ id: UInt64) -> Bool {
        let index = firstRange(endingAtOrAfter: id)
        return index < ranges.count && ranges[index].lowerBound <= id
    }

    /// Place of the first range that ends at `id` or later; their number when none does.
    private func firstRange(endingAtOrAfter id: UInt64) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
