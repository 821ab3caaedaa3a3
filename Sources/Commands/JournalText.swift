internal import ControllerRuntime
internal import Journal

extension JournalDurability {
    /// The durability of its word, nil for others.
    init?(text: String) {
        guard let value = Self.allCases.first(where: { $0.text == text }) else { return nil }
        self = value
    }

    /// The word that `init(text:)` reads.
    var text: String {
        switch self {
        case .none: "none"
        case .eachEvent: "event"
        case .close: "close"
        }
    }
}

extension JournalPolicy {
    /// What its durability has to be, for errors.
    static let expectedDurability =
        JournalDurability.allCases.map(\.text).joined(separator: " or ")
    /// Smallest file: smaller ones would be mostly names in a folder.
    static let minimumByteCount = 4096
    /// What the size of its files has to be, for errors.
    static let expectedByteCount = "a size of at least 4KiB, as 64MiB, or none"

    /// The size of a text, nil within it for `none`; nil for other texts.
    static func byteCount(_ text: String) -> Int?? {
        if text == "none" { return .some(nil) }
        guard let count = QuantityText.byteCount(text), count >= minimumByteCount else {
            return nil
        }
        return count
    }

    /// The policy as the value of `journal` in a configuration file; nil where it is the standard.
    var text: String? {
        let standard = JournalPolicy()
        var parts: [String] = []
        if rotation?.maximumByteCount != standard.rotation?.maximumByteCount {
            parts.append("maximumBytes: \(rotation.map { "\($0.maximumByteCount)" } ?? "none")")
        }
        if let count = rotation?.keptFileCount { parts.append("keep: \(count)") }
        if durability != standard.durability { parts.append("durability: \(durability.text)") }
        return parts.isEmpty ? nil : "{\(parts.joined(separator: ", "))}"
    }
}
