/// Finds what a misspelt word was meant to be.
enum NearestName {
    /// "; did you mean workers?", or the known names when none is near.
    static func hint(for name: String, in known: [String]) -> String {
        if let nearest = nearest(to: name, in: known) { return "; did you mean \(nearest)?" }
        return known.isEmpty ? "" : "; there are \(known.joined(separator: ", "))"
    }

    /// The known name with the fewest changes, nil when more than a third of the letters (and more
    /// than 2) differ.
    static func nearest(to name: String, in known: [String]) -> String? {
        let limit = max(2, name.count / 3)
        return known.map { ($0, distance(name.lowercased(), $0.lowercased())) }
            .filter { $0.1 <= limit && $0.1 < max(1, name.count) }
            .min { $0.1 < $1.1 }?.0
    }

    /// Insertions, deletions and replacements that lead from one text to the other (Levenshtein).
    static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (number, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = number + 1
            for (column, other) in right.enumerated() {
                let above = row[column + 1]
                let replaced = diagonal + (letter == other ? 0 : 1)
                row[column + 1] = min(above + 1, row[column] + 1, replaced)
                diagonal = above
            }
        }
        return row[right.count]
    }
}
