/// The order in which a person counts: `scan2` before `scan10`, whatever the locale.
///
/// Runs of digits compare by value, however long; other bytes compare with ASCII letters as lower case,
/// and a folder's content comes before what has a longer name (`a/b` before `a-1`). Names that are equal
/// so far are ordered by fewer leading zeros, then by their bytes: the order is total.
enum NaturalOrder {
    static func isBefore(
        _ left: some Collection<UInt8>, _ right: some Collection<UInt8>
    ) -> Bool {
        let result: Bool?? = left.withContiguousStorageIfAvailable { left in
            right.withContiguousStorageIfAvailable { right in compare(left, right) < 0 }
        }
        if let result, let result { return result }
        return Array(left).withUnsafeBufferPointer { left in
            Array(right).withUnsafeBufferPointer { right in compare(left, right) < 0 }
        }
    }

    /// Below 0 when `left` comes first, 0 when they are the same bytes.
    static func compare(
        _ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>
    ) -> Int {
        var (i, j) = (0, 0)
        var fewerZeros = 0
        while i < left.count, j < right.count {
            if isDigit(left[i]), isDigit(right[j]) {
                let (first, second) = (digits(left, from: i), digits(right, from: j))
                let difference = compareValues(left, first, right, second)
                if difference != 0 { return difference }
                if fewerZeros == 0 { fewerZeros = (first.start - i) - (second.start - j) }
                (i, j) = (first.end, second.end)
            } else {
                let difference = rank(left[i]) - rank(right[j])
                if difference != 0 { return difference }
                (i, j) = (i + 1, j + 1)
            }
        }
        let rest = (left.count - i) - (right.count - j)
        if rest != 0 { return rest }
        return fewerZeros != 0 ? fewerZeros : compareBytes(left, right)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    private static func rank(_ byte: UInt8) -> Int {
        switch byte {
        case UInt8(ascii: "/"): -1
        case 0x41...0x5A: Int(byte) + 0x20
        default: Int(byte)
        }
    }

    /// Where the digits at `position` begin without their zeros, and end.
    private static func digits(
        _ bytes: UnsafeBufferPointer<UInt8>, from position: Int
    ) -> (start: Int, end: Int) {
        var start = position
        while start < bytes.count, bytes[start] == 0x30 { start += 1 }
        var end = start
        while end < bytes.count, isDigit(bytes[end]) { end += 1 }
        return (start, end)
    }

    private static func compareValues(
        _ left: UnsafeBufferPointer<UInt8>, _ first: (start: Int, end: Int),
        _ right: UnsafeBufferPointer<UInt8>, _ second: (start: Int, end: Int)
    ) -> Int {
        let length = first.end - first.start
        if length != second.end - second.start { return length - (second.end - second.start) }
        for offset in 0..<length {
            let difference = Int(left[first.start + offset]) - Int(right[second.start + offset])
            if difference != 0 { return difference }
        }
        return 0
    }

    private static func compareBytes(
        _ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>
    ) -> Int {
        for (first, second) in zip(left, right) where first != second {
            return Int(first) - Int(second)
        }
        return left.count - right.count
    }
}
