/// Patterns with wild cards over tokens of any kind.
package enum Wildcards {
    /// Whether `tokens` fit the whole of `elements`: a token that `isAny` is any number of elements, each other
    /// one an element that it `fits`. Takes the product of both lengths in steps at most.
    package static func match<Token, Element>(
        _ tokens: [Token], _ elements: [Element], isAny: (Token) -> Bool,
        fits: (Token, Element) -> Bool
    ) -> Bool {
        var (token, place) = (0, 0)
        // After the last star that did not fit: it takes one element more, and the rest is tried again. Only the
        // last one ever has to.
        var retry: (token: Int, place: Int)?
        while place < elements.count {
            if token < tokens.count, isAny(tokens[token]) {
                token += 1
                retry = (token, place)
            } else if token < tokens.count, fits(tokens[token], elements[place]) {
                (token, place) = (token + 1, place + 1)
            } else if let last = retry {
                retry = (last.token, last.place + 1)
                (token, place) = (last.token, last.place + 1)
            } else {
                return false
            }
        }
        return tokens[token...].allSatisfy(isAny)
    }
}
