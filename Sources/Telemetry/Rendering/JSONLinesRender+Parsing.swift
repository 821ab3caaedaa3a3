internal import Journal

extension JSONLinesRender {
    /// The result of a line that this format wrote, with its time; the tags of the host are among its own.
    /// Nil for anything else.
    public static func parse(_ line: String) -> (timestampNanoseconds: Int64, result: MetricResult)?
    {
        guard let value = JournalValue(json: line), case .int(let time)? = value["time"],
            let name = value["name"]?.text, case .object(let tags)? = value["tags"],
            let fields = fields(of: value)
        else { return nil }
        var result = MetricResult(name, fields: fields)
        for tag in tags {
            guard let value = MetricValue(json: tag.value) else { return nil }
            result.meta[tag.key] = value
        }
        switch value["distributions"] {
        case nil: break
        case .array(let list):
            for element in list {
                guard let distribution = MetricDistribution(json: element) else { return nil }
                result.distributions.append(distribution)
            }
        default: return nil
        }
        return (time, result)
    }

    private static func fields(of value: JournalValue) -> [MetricResult.Field]? {
        var fields: [MetricResult.Field] = []
        var places: [String: Int] = [:]
        switch value["fields"] {
        case .object(let pairs):
            for pair in pairs {
                guard let value = MetricValue(json: pair.value) else { return nil }
                places[pair.key] = fields.count
                fields.append(.init(pair.key, value))
            }
        case .array(let pairs):
            for element in pairs {
                let pair = element.elements
                guard pair.count == 2, let name = pair[0].text,
                    let value = MetricValue(json: pair[1])
                else { return nil }
                places[String(fields.count)] = fields.count
                fields.append(.init(name, value))
            }
        default: return nil
        }
        for key in value["counters"].texts {
            if let place = places[key] { fields[place].kind = .counter }
        }
        for key in value["derived"].texts {
            if let place = places[key] { fields[place].isDerived = true }
        }
        for (key, text) in value["units"].pairs {
            if let place = places[key] { fields[place].unit = text }
        }
        for (key, text) in value["summaries"].pairs {
            if let place = places[key] { fields[place].summary = text }
        }
        return fields
    }
}

extension JournalValue {
    fileprivate var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    fileprivate var unsigned: UInt64? {
        switch self {
        case .int(let value): UInt64(exactly: value)
        case .uint(let value): value
        case .null, .bool, .double, .string, .array, .object: nil
        }
    }

    fileprivate var elements: [JournalValue] {
        if case .array(let elements) = self { elements } else { [] }
    }
}

extension JournalValue? {
    /// The texts of a list; none where there is no list.
    fileprivate var texts: [String] { self?.elements.compactMap(\.text) ?? [] }

    /// The texts of an object with their keys.
    fileprivate var pairs: [(String, String)] {
        guard case .object(let fields)? = self else { return [] }
        return fields.compactMap { field in field.value.text.map { (field.key, $0) } }
    }
}

extension MetricValue {
    /// The value of its JSON form; nil for anything else.
    fileprivate init?(json: JournalValue) {
        switch json {
        case .int(let value): self = .int(value)
        case .double(let value): self = .float(value)
        case .string(let value): self = .string(value)
        case .bool(let value): self = .bool(value)
        case .object:
            switch json["float"] {
            case .string("NaN"): self = .float(.nan)
            case .string("Infinity"): self = .float(.infinity)
            case .string("-Infinity"): self = .float(-.infinity)
            default: return nil
            }
        case .null, .uint, .array: return nil
        }
    }

    fileprivate var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .float(let value): value
        case .string, .bool: nil
        }
    }
}

extension MetricDistribution {
    fileprivate init?(json: JournalValue) {
        func number(_ value: JournalValue?) -> Double? {
            value.flatMap { MetricValue(json: $0) }?.number
        }
        guard let name = json["name"]?.text, let count = json["count"]?.unsigned,
            let sum = number(json["sum"])
        else { return nil }
        self.init(
            name, unit: json["unit"]?.text ?? "", summary: json["summary"]?.text ?? "",
            count: count, sum: sum, isAlsoInFields: json["isAlsoInFields"] == .bool(true))
        for pair in json["quantiles"]?.elements ?? [] {
            guard pair.elements.count == 2, let part = number(pair.elements[0]),
                let value = number(pair.elements[1])
            else { return nil }
            quantiles.append(Quantile(part, value))
        }
        for pair in json["buckets"]?.elements ?? [] {
            guard pair.elements.count == 2, let bound = number(pair.elements[0]),
                let count = pair.elements[1].unsigned
            else { return nil }
            buckets.append(Bucket(upTo: bound, count))
        }
    }
}
