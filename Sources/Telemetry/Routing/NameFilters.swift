internal import Journal
internal import Synchronization

/// Passes or drops events by regular expressions for their names. An expression fits where it fits the
/// beginning of a name, as `re.match` of Python does; `$` at its end asks for all of it. An empty expression
/// fits everything, no expression fits nothing. An event without a name makes the filter fail, and then
/// `onError` holds, by default `drop`.
///
/// Expressions are those of Swift's `Regex`, compared by Unicode scalar.
public final class RegexFilter: EventProcessor {
    /// Which events pass.
    public enum FilterType: String, Sendable, CaseIterable {
        /// Those that an expression fits.
        case allowlist
        /// Those that no expression fits.
        case blocklist
    }

    /// The most expressions, and the most bytes of one: compiling takes a stack as deep as they nest.
    public static let maximumExpressions = 256
    /// As above.
    public static let maximumExpressionByteCount = 512
    /// Names whose verdict is remembered, each of 256 bytes at most; a pipeline has some dozens. When there
    /// are more, all are forgotten.
    private static let maximumRemembered = 1024

    private struct Verdicts {
        /// `Regex` may be used by one thread at a time only: it is not `Sendable`.
        var expressions: [Regex<AnyRegexOutput>]
        var known: [String: Bool] = [:]

        mutating func fits(_ name: String) throws -> Bool {
            if let known = known[name] { return known }
            let fits = try expressions.contains { try $0.prefixMatch(in: name) != nil }
            if known.count >= maximumRemembered { known = [:] }
            if name.utf8.count <= 256 { known[name] = fits }
            return fits
        }
    }

    public let onError: ProcessorErrorPolicy
    private let type: FilterType
    private let verdicts: Mutex<Verdicts>

    /// A filter; refuses an expression that cannot be read.
    public init(
        _ type: FilterType = .allowlist, expressions: [String] = [],
        onError: ProcessorErrorPolicy = .drop
    ) throws(RoutingError) {
        guard expressions.count <= Self.maximumExpressions else {
            throw .tooMany("expressions of a filter", limit: Self.maximumExpressions)
        }
        var compiled: [Regex<AnyRegexOutput>] = []
        for expression in expressions { compiled.append(try Self.compile(expression)) }
        self.type = type
        self.onError = onError
        verdicts = Mutex(Verdicts(expressions: compiled))
    }

    private static func compile(
        _ expression: String
    ) throws(RoutingError) -> sending Regex<AnyRegexOutput> {
        guard expression.utf8.count <= maximumExpressionByteCount else {
            throw .invalidExpression(
                "\(expression.prefix(40))…",
                reason: "longer than \(maximumExpressionByteCount) bytes")
        }
        do {
            return try Regex(expression).matchingSemantics(.unicodeScalar)
        } catch {
            throw .invalidExpression(expression, reason: "\(error)")
        }
    }

    public func process(_ event: inout TelemetryEvent) throws -> Disposition {
        guard let name = event.name else { throw RoutingError.nameless }
        let fits = try verdicts.withLock { try $0.fits(name) }
        switch (type, fits) {
        case (.allowlist, true), (.blocklist, false): return .keep
        case (.allowlist, false): return .drop(reason: "the name is not allowed")
        case (.blocklist, true): return .drop(reason: "the name is blocked")
        }
    }
}

/// Passes events whose names are on a list, exactly. A list of events is filtered element by element and goes on
/// even when nothing is left: it is an event without a name whose data is a list of objects with a `name` each.
/// An event or element without a name makes the filter fail, and then `onError` holds, by default `drop`.
public struct NameWhitelistProcessor: EventProcessor {
    public let onError: ProcessorErrorPolicy
    private let whitelist: Set<String>

    /// A filter that passes these names.
    public init(
        whitelist: some Sequence<String>, onError: ProcessorErrorPolicy = .drop
    ) {
        self.whitelist = Set(whitelist)
        self.onError = onError
    }

    public func process(_ event: inout TelemetryEvent) throws -> Disposition {
        if let name = event.name {
            return whitelist.contains(name) ? .keep : .drop(reason: "the name is not on the list")
        }
        guard case .array(let elements) = event.data else { throw RoutingError.nameless }
        event.data = .array(
            try elements.filter { element in
                guard let name = element["name"] else { throw RoutingError.nameless }
                guard case .string(let name) = name else { return false }
                return whitelist.contains(name)
            })
        return .keep
    }
}

/// Drops events whose names fit a pattern, such as `frame.*`. One without a name fits none and is kept.
public struct DropProcessor: EventProcessor {
    private let patterns: [NamePattern]

    /// A processor that drops what fits any of these patterns.
    public init(names patterns: [NamePattern]) { self.patterns = patterns }

    public func process(_ event: inout TelemetryEvent) -> Disposition {
        guard let name = event.name, patterns.contains(where: { $0.matches(name) }) else {
            return .keep
        }
        return .drop(reason: "the name is to be dropped")
    }
}
