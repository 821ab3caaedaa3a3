internal import Synchronization

/// The page that Prometheus reads: always a whole snapshot, the results of the last call. Nothing waits and
/// nothing is divided, for the reader comes when it likes. Any thread may call.
///
/// A family is named `namespace_measurement_field_unit`, counters with `_total` behind it; the rules of
/// names, units and labels are in Docs/Reference/Metrics.md. Booleans are 1 and 0, NaN and infinity are
/// values as others; text, counters that are no number or below zero and fields that follow from others
/// (`isDerived`) are left out. Counters, counts and sums never go down while this object lives: when one
/// does, as by a reset, it goes on from where it was.
public final class PrometheusRender: Render {
    /// The two forms of the page.
    public enum Format: Sendable, Hashable, CaseIterable {
        /// Text 0.0.4, which every reader knows.
        case text
        /// OpenMetrics 1.0.0.
        case openMetrics

        /// The content type of an answer.
        public var contentType: String {
            switch self {
            case .text: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }

        /// What a reader with that `Accept` header field gets: OpenMetrics where it names version 1.0.0
        /// with a weight that is above 0 and not below that of plain text.
        public init(accept: String) {
            var (open, text) = (0.0, 0.0)
            for choice in accept.split(separator: ",") {
                let parts = choice.split(separator: ";").map {
                    $0.filter { $0 != " " && $0 != "\"" }.lowercased()
                }
                let weight = parts.first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) }
                switch parts.first {
                case "application/openmetrics-text" where parts.contains("version=1.0.0"):
                    open = max(open, weight ?? 1)
                case "text/plain", "text/*", "*/*": text = max(text, weight ?? 1)
                default: break
                }
            }
            self = open > 0 && open >= text ? .openMetrics : .text
        }
    }

    /// What was left out of the last snapshot.
    public struct Counts: Sendable, Equatable {
        /// Text, and counters that are no number or below zero.
        public var skippedValues: UInt64 = 0
        /// Samples that another one with the same name and labels replaced.
        public var duplicates: UInt64 = 0
        /// Values whose name has another type already.
        public var conflicts: UInt64 = 0
        /// Samples beyond `maximumSampleCount`.
        public var beyondLimit: UInt64 = 0

        /// Nothing.
        public init() {}
    }

    /// The most samples of a page: some 10 MB of text. What comes beyond is left out and counted.
    public static let maximumSampleCount = 100_000

    private typealias Bases = [PrometheusPage.SampleKey: (last: Double, base: Double)]

    private struct State {
        var page: PrometheusPage
        /// For each family its cumulative samples with their last value, and what was counted before it fell.
        var bases: [String: Bases] = [:]
    }

    /// What all names begin with.
    public let namespace: String
    /// The tags of the host, which every sample gets.
    public let meta: Meta
    private let state: Mutex<State>

    /// A page without samples.
    public init(namespace: String = "sluice", meta: Meta = Meta()) {
        self.namespace = namespace
        self.meta = meta
        state = Mutex(State(page: PrometheusPage(namespace: namespace, meta: meta)))
    }

    /// Replaces the snapshot.
    public func process(_ rset: ResultSet) { processMany(CollectionOfOne(rset)) }

    /// Replaces the snapshot by all of these together; of samples with the same name and labels the last
    /// one stays.
    public func processMany(_ rsets: some Sequence<ResultSet>) {
        var page = PrometheusPage(namespace: namespace, meta: meta)
        for rset in rsets { page.add(rset) }
        state.withLock { state in
            let known = state.bases
            var bases: [String: Bases] = [:]
            page.mapFamilies { family in
                bases[family.name.base] = Self.raise(&family, known[family.name.base] ?? [:])
            }
            state.bases = bases
            state.page = page
        }
    }

    /// Adds to cumulative samples that fell what was counted before, and returns what to know next time.
    private static func raise(_ family: inout PrometheusPage.Family, _ known: Bases) -> Bases {
        var bases = Bases(minimumCapacity: family.samples.count)
        for place in family.samples.indices where family.samples[place].isCumulative {
            let sample = family.samples[place]
            let key = PrometheusPage.SampleKey(suffix: sample.suffix, labels: sample.labels)
            var (last, base) = known[key] ?? (sample.value, 0)
            if sample.value < last { base += last }
            last = sample.value
            bases[key] = (last, base)
            guard base > 0 else { continue }
            let sum = last + base
            family.samples[place].value = sum
            family.samples[place].whole = sample.whole.flatMap { _ in Int64(exactly: sum) }
        }
        return bases
    }

    /// What was left out of the snapshot.
    public var counts: Counts { state.withLock { $0.page.counts } }

    /// The page.
    public func page(_ format: Format = .text) -> String {
        let families = state.withLock { $0.page.families }
        var text = ""
        for family in families { Self.append(family, format, to: &text) }
        if format == .openMetrics { text += "# EOF\n" }
        return text
    }

    /// The page of results by themselves, for a command that prints them.
    public static func page(
        of rset: ResultSet, namespace: String = "sluice", meta: Meta = Meta(),
        format: Format = .text
    ) -> String {
        let render = PrometheusRender(namespace: namespace, meta: meta)
        render.process(rset)
        return render.page(format)
    }

    private static func append(
        _ family: PrometheusPage.Family, _ format: Format, to text: inout String
    ) {
        let isCounter = family.kind == .counter
        let name = family.name.base + (format == .text && isCounter ? "_total" : "")
        text += "# HELP \(name) \(escaped(family.help, quote: format == .openMetrics))\n"
        text += "# TYPE \(name) \(family.kind.rawValue)\n"
        if format == .openMetrics, !family.name.unit.isEmpty {
            text += "# UNIT \(name) \(family.name.unit)\n"
        }
        for sample in family.samples {
            text += family.name.base + sample.suffix
            if !sample.labels.isEmpty { text += "{\(sample.labels)}" }
            text += " "
            text += sample.whole.map { String($0) } ?? self.text(sample.value)
            text += "\n"
        }
    }

    /// A number as both forms take it: never without a point or an exponent, so that bounds are floating
    /// point as OpenMetrics asks.
    static func text(_ value: Double) -> String {
        if value.isFinite { return value.description }
        return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf"
    }

    /// Text with escapes for the backslash, the line feed and, where asked, the quote.
    static func escaped(_ text: String, quote: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quote: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
