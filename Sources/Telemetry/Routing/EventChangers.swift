public import Journal

/// Gives events other names. The first rule that fits holds. A rule is an exact name, or a beginning with `*`
/// after it, whose new name may end in `*`, too: then the rest of the name is kept there. Events without a name
/// stay so.
public struct RenameProcessor: EventProcessor {
    private struct Rule {
        var from: String
        /// Whether `from` is the beginning of a name.
        var isPrefix: Bool
        var to: String
        var keepsRest: Bool
    }

    private let exact: [String: String]
    /// All rules in order, where there are any with a star; exact ones alone are looked up.
    private let rules: [Rule]

    /// A processor with these rules; refuses an empty name, a `*` elsewhere than at the end, a new name with
    /// `*` for an old one without, and the same old name twice.
    public init(_ names: [(from: String, to: String)]) throws(RoutingError) {
        var exact: [String: String] = [:]
        var rules: [Rule] = []
        for (from, to) in names {
            guard !from.isEmpty, !to.isEmpty else { throw .emptyName("rule of rename") }
            let (isPrefix, keepsRest) = (from.hasSuffix("*"), to.hasSuffix("*"))
            let stars = from.dropLast(isPrefix ? 1 : 0) + to.dropLast(keepsRest ? 1 : 0)
            guard !stars.contains("*"), isPrefix || !keepsRest else {
                throw .invalidOption(
                    "rename", problem: "cannot make \(to) of \(from)",
                    advice: "use * at the end of the old name only, or of both")
            }
            guard exact.updateValue(to, forKey: from) == nil else {
                throw .invalidOption(
                    "rename", problem: "has two rules for \(from)", advice: "keep one")
            }
            rules.append(
                Rule(
                    from: String(from.dropLast(isPrefix ? 1 : 0)), isPrefix: isPrefix,
                    to: String(to.dropLast(keepsRest ? 1 : 0)), keepsRest: keepsRest))
        }
        self.exact = exact
        self.rules = rules.contains(where: \.isPrefix) ? rules : []
    }

    public func process(_ event: inout TelemetryEvent) -> Disposition {
        guard let name = event.name else { return .keep }
        if rules.isEmpty {
            if let new = exact[name] { event.name = new }
            return .keep
        }
        let rule = rules.first { $0.isPrefix ? name.hasPrefix($0.from) : name == $0.from }
        if let rule {
            event.name = rule.keepsRest ? rule.to + name.dropFirst(rule.from.count) : rule.to
        }
        return .keep
    }
}

/// Adds fields to the context of events, such as the beamline; a key that is there gets the new value.
public struct EnrichProcessor: EventProcessor {
    private let fields: [JournalField]

    /// A processor that adds these fields.
    public init(_ fields: [JournalField]) { self.fields = fields }

    public func process(_ event: inout TelemetryEvent) -> Disposition {
        for field in fields { event.context[key: field.key] = field.value }
        return .keep
    }
}
