/// A Swift file without what only looks like code: comments and the insides of string literals are
/// spaces, so that every line and column stays where it is.
struct SwiftText {
    let lines: [String]

    init(_ text: String) {
        var scanner = Scanner(text: Array(text))
        scanner.scan()
        lines = String(scanner.result).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }

    private struct Scanner {
        let text: [Character]
        var result: [Character] = []
        var position = 0

        init(text: [Character]) {
            self.text = text
            result.reserveCapacity(text.count)
        }

        mutating func scan() {
            while position < text.count {
                if has("//") {
                    blank { $0 == "\n" }
                } else if has("/*") {
                    blockComment()
                } else if let hashes = literalStart() {
                    literal(hashes: hashes)
                } else {
                    keep()
                }
            }
        }

        func has(_ word: String) -> Bool { text[position...].starts(with: word) }

        mutating func keep() {
            result.append(text[position])
            position += 1
        }

        mutating func hide() {
            result.append(text[position] == "\n" ? "\n" : " ")
            position += 1
        }

        mutating func hide(_ count: Int) {
            for _ in 0..<count where position < text.count { hide() }
        }

        mutating func blank(until ends: (Character) -> Bool) {
            while position < text.count, !ends(text[position]) { hide() }
        }

        mutating func blockComment() {
            var depth = 0
            repeat {
                if has("/*") {
                    depth += 1
                    hide(2)
                } else if has("*/") {
                    depth -= 1
                    hide(2)
                } else {
                    hide()
                }
            } while depth > 0 && position < text.count
        }

        /// The number of `#` before a quote that is here, nil when there is no literal here.
        func literalStart() -> Int? {
            var end = position
            while end < text.count, text[end] == "#" { end += 1 }
            return end < text.count && text[end] == "\"" ? end - position : nil
        }

        mutating func literal(hashes: Int) {
            let fence = String(repeating: "#", count: hashes)
            hide(hashes)
            let quote = has("\"\"\"") ? "\"\"\"" : "\""
            result.append("\"")
            position += 1
            hide(quote.count - 1)
            while position < text.count, !has(quote + fence) {
                if has("\\" + fence + "(") {
                    hide(hashes + 2)
                    interpolation()
                } else if has("\\" + fence) {
                    hide(hashes + 2)
                } else {
                    hide()
                }
            }
            guard position < text.count else { return }
            result.append("\"")
            position += 1
            hide(quote.count - 1 + hashes)
        }

        mutating func interpolation() {
            var depth = 1
            while position < text.count, depth > 0 {
                if let hashes = literalStart() {
                    literal(hashes: hashes)
                    continue
                }
                if text[position] == "(" { depth += 1 }
                if text[position] == ")" { depth -= 1 }
                hide()
            }
        }
    }
}

extension SwiftText {
    /// A function, initializer or subscript with its body.
    struct Function {
        /// Line of the declaration, from 1.
        let line: Int
        /// Lines from the declaration to the closing brace.
        let lineCount: Int
    }

    /// All functions with bodies, nested ones too.
    var functions: [Function] {
        lines.indices.compactMap { index in
            guard lines[index].firstMatch(of: Self.declaration) != nil else { return nil }
            return lastLine(from: index).map {
                Function(line: index + 1, lineCount: $0 - index + 1)
            }
        }
    }

    nonisolated(unsafe) private static let declaration =
        #/
        ^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:[a-z]+(?:\([a-z]+\))?\s+)*
        (?:func\b|init[?(<]|deinit\b|subscript[(<])
        /#

    /// The line with the brace that closes the body of the declaration at `start`, nil without a body.
    private func lastLine(from start: Int) -> Int? {
        var (parentheses, braces) = (0, 0)
        for index in start..<lines.count {
            for character in lines[index] {
                switch character {
                case "(", "[": parentheses += 1
                case ")", "]": parentheses -= 1
                case "{": braces += 1
                case "}":
                    braces -= 1
                    if braces == 0, parentheses == 0 { return index }
                    if braces < 0 { return nil }
                default: break
                }
            }
            // Before the body, a declaration goes on only where something says so.
            if braces == 0, parentheses == 0, index + 1 < lines.count {
                let next = lines[index + 1].drop { $0 == " " }
                let goesOn = ["{", "->", "throws", "async", "where", "rethrows", ")"]
                if !goesOn.contains(where: { next.hasPrefix($0) }) { return nil }
            }
        }
        return nil
    }
}
