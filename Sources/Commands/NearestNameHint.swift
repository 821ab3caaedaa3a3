internal import NDArrays

/// The end of a message about the unknown word `name`: "; did you mean workers?", or the known names
/// when none is near.
func nearestNameHint(for name: String, in known: [String]) -> String {
    if let nearest = nearestName(to: name, in: known) { return "; did you mean \(nearest)?" }
    return known.isEmpty ? "" : "; there are \(known.joined(separator: ", "))"
}
