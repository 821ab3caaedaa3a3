/// The candidate that `name` is most likely a misspelling of, nil when none is near: at most a
/// third of its letters (and at least 2) differ, case aside. Of equally near ones the first is
/// taken.
package func nearestName(to name: String, in candidates: some Sequence<String>) -> String? {
    let wanted = Array(name.lowercased().utf8)
    let limit = max(2, wanted.count / 3)
    var best: (name: String, distance: Int)?
    for candidate in candidates {
        let known = Array(candidate.lowercased().utf8)
        // Texts differ at least by what one is longer.
        guard abs(known.count - wanted.count) <= limit else { continue }
        let distance = editDistance(wanted, known)
        guard distance <= limit, distance < max(wanted.count, 1) else { continue }
        if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
    }
    return best?.name
}

/// Insertions, deletions, replacements and exchanges of neighbours that lead from one text to the
/// other (optimal string alignment).
func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast = [Int](repeating: 0, count: right.count + 1)
    var last = Array(0...right.count)
    var current = beforeLast
    for (row, letter) in left.enumerated() {
        current[0] = row + 1
        for (column, other) in right.enumerated() {
            var distance = min(
                last[column] + (letter == other ? 0 : 1), last[column + 1] + 1, current[column] + 1)
            if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                distance = min(distance, beforeLast[column - 1] + 1)
            }
            current[column + 1] = distance
        }
        swap(&beforeLast, &last)
        swap(&last, &current)
    }
    return last[right.count]
}
