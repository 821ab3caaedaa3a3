/// A page in the making: families of samples, each name once.
struct PrometheusPage {
    /// One line of a family.
    struct Sample {
        /// What follows the name of the family, such as `_total`.
        var suffix = ""
        /// The labels as they stand between braces, without them.
        var labels: String
        var value: Double
        /// A whole number is written as such, whatever its size.
        var whole: Int64?
        /// Whether it never goes down while the process lives.
        var isCumulative = false
    }

    /// What tells one sample of a family from another.
    struct SampleKey: Hashable {
        var suffix: String
        var labels: String
    }

    /// What a name follows from.
    private struct NameKey: Hashable {
        var measurement: String
        var field: String
        var unit: String
        var kind: PrometheusName.Kind
    }

    struct Family {
        var name: PrometheusName
        var kind: PrometheusName.Kind
        var help: String
        var samples: [Sample] = []
        var places: [SampleKey: Int] = [:]

        /// Adds a sample; one with the same labels takes the place of the earlier one.
        mutating func add(_ sample: Sample) -> Bool {
            let key = SampleKey(suffix: sample.suffix, labels: sample.labels)
            if let place = places[key] {
                samples[place] = sample
                return false
            }
            places[key] = samples.count
            samples.append(sample)
            return true
        }
    }

    let namespace: String
    let meta: Meta
    private(set) var families: [Family] = []
    private(set) var counts = PrometheusRender.Counts()
    private var places: [String: Int] = [:]
    /// Names that were made before: results have the same fields again and again.
    private var names: [NameKey: PrometheusName] = [:]
    private var sampleCount = 0

    init(namespace: String, meta: Meta) {
        self.namespace = namespace
        self.meta = meta
    }

    mutating func add(_ rset: ResultSet) {
        for result in rset.results {
            let labels = Self.labels(meta.merging(result.meta))
            for field in result.fields where !field.isDerived {
                add(field, of: result, labels: labels)
            }
            for distribution in result.distributions {
                add(distribution, of: result, labels: labels)
            }
        }
    }

    private mutating func add(
        _ field: MetricResult.Field, of result: MetricResult, labels: String
    ) {
        guard let number = field.value.number else {
            counts.skippedValues += 1
            return
        }
        let kind: PrometheusName.Kind = field.kind == .counter ? .counter : .gauge
        // A counter that is no number or below zero is none.
        if kind == .counter, !(number >= 0 && number.isFinite) {
            counts.skippedValues += 1
            return
        }
        let name = name(result.name, field.name, unit: field.unit, kind: kind)
        guard
            let place = family(
                name, kind,
                help: Self.help(field.summary, field.name, result.name, field.unit, name))
        else { return }
        var sample = Sample(
            suffix: kind == .counter ? "_total" : "", labels: labels, value: number * name.factor,
            isCumulative: kind == .counter)
        if case .int(let value) = field.value, name.factor == 1 { sample.whole = value }
        add(sample, to: place)
    }

    private mutating func add(
        _ distribution: MetricDistribution, of result: MetricResult, labels: String
    ) {
        let name = name(
            result.name, distribution.name, unit: distribution.unit, kind: .histogram)
        let help = Self.help(
            distribution.summary, distribution.name, result.name, distribution.unit, name)
        let sum = distribution.sum * name.factor
        guard sum.isFinite else {
            counts.skippedValues += 1
            return
        }
        func ends(_ place: Int) {
            add(
                Sample(suffix: "_sum", labels: labels, value: sum, isCumulative: true), to: place)
            add(Self.count("_count", labels, distribution.count), to: place)
        }
        if !distribution.buckets.isEmpty, let place = family(name, .histogram, help: help) {
            for bucket in distribution.buckets where bucket.upperBound.isFinite {
                let bound = PrometheusRender.text(bucket.upperBound * name.factor)
                add(
                    Self.count(
                        "_bucket", Self.joined(labels, "le=\"\(bound)\""), bucket.cumulativeCount),
                    to: place)
            }
            add(
                Self.count("_bucket", Self.joined(labels, "le=\"+Inf\""), distribution.count),
                to: place)
            ends(place)
        }
        guard !distribution.quantiles.isEmpty || distribution.buckets.isEmpty else { return }
        var summary = name
        // Both cannot have one name.
        if !distribution.buckets.isEmpty {
            let stem =
                name.unit.isEmpty ? name.base : String(name.base.dropLast(name.unit.count + 1))
            summary.base = stem + "_quantiles" + (name.unit.isEmpty ? "" : "_" + name.unit)
        }
        guard let place = family(summary, .summary, help: help) else { return }
        for quantile in distribution.quantiles {
            let label = "quantile=\"\(PrometheusRender.text(quantile.part))\""
            add(
                Sample(
                    labels: Self.joined(labels, label), value: quantile.value * name.factor),
                to: place)
        }
        ends(place)
    }

    private static func count(_ suffix: String, _ labels: String, _ count: UInt64) -> Sample {
        Sample(
            suffix: suffix, labels: labels, value: Double(count), whole: Int64(clamping: count),
            isCumulative: true)
    }

    private mutating func name(
        _ measurement: String, _ field: String, unit: String, kind: PrometheusName.Kind
    ) -> PrometheusName {
        let key = NameKey(measurement: measurement, field: field, unit: unit, kind: kind)
        if let known = names[key] { return known }
        let name = PrometheusName(
            namespace: namespace, measurement: measurement, field: field, unit: unit, kind: kind)
        names[key] = name
        return name
    }

    /// The place of a family; nil where the name has another kind already.
    private mutating func family(
        _ name: PrometheusName, _ kind: PrometheusName.Kind, help: @autoclosure () -> String
    ) -> Int? {
        if let place = places[name.base] {
            if families[place].kind == kind { return place }
            counts.conflicts += 1
            return nil
        }
        places[name.base] = families.count
        families.append(Family(name: name, kind: kind, help: help()))
        return families.count - 1
    }

    private mutating func add(_ sample: Sample, to place: Int) {
        guard sampleCount < PrometheusRender.maximumSampleCount else {
            counts.beyondLimit += 1
            return
        }
        if families[place].add(sample) {
            sampleCount += 1
        } else {
            counts.duplicates += 1
        }
    }

    /// Lets every family be changed.
    mutating func mapFamilies(_ body: (inout Family) -> Void) {
        for place in families.indices { body(&families[place]) }
    }

    private static func help(
        _ summary: String, _ field: String, _ measurement: String, _ unit: String,
        _ name: PrometheusName
    ) -> String {
        let text = summary.isEmpty ? "\(field) of \(measurement)." : summary
        let isUnitKnown = unit.isEmpty || unit == "count" || !name.unit.isEmpty
        return isUnitKnown ? text : "\(text) Unit: \(unit)."
    }

    private static func joined(_ labels: String, _ label: String) -> String {
        labels.isEmpty ? label : labels + "," + label
    }

    /// The labels of tags, in order; of two that become the same name the later one stays, and one without
    /// a value is left out, which to Prometheus is the same.
    static func labels(_ tags: Meta) -> String {
        var labels = Meta()
        for tag in tags.tags {
            let text = tag.value.description
            labels[PrometheusName.label(tag.key)] = text.isEmpty ? nil : .string(text)
        }
        return labels.tags.map { tag in
            "\(tag.key)=\"\(PrometheusRender.escaped(tag.value.description, quote: true))\""
        }.joined(separator: ",")
    }
}

extension MetricValue {
    /// The value as a number, booleans as 1 and 0; nil for text.
    fileprivate var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .float(let value): value
        case .bool(let value): value ? 1 : 0
        case .string: nil
        }
    }
}
