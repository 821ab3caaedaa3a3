internal import FoundationEssentials
internal import Journal
internal import NDArrays

extension ControlRequest: Codable {
    private enum Keys: String, CodingKey {
        case id, command, processor, stage, changes, now, full, seq, since, names, except
    }

    /// Reads `{"id": 1, "command": "configure", "processor": …, "stage": …, "changes": {…}}`; an id
    /// that is absent is 0.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        id = try container.decodeIfPresent(UInt64.self, forKey: .id) ?? 0
        let word = try container.decode(String.self, forKey: .command)
        guard let name = ControlCommand.Name(rawValue: word) else {
            let known = ControlCommand.Name.allCases.map(\.rawValue).joined(separator: ", ")
            throw ControlFailure(
                code: "request", message: "there is no command \(word); there are \(known)")
        }
        command =
            switch name {
            case .status: .status
            case .statistics: .statistics
            case .resetStatistics: .resetStatistics
            case .stop: .stop(now: try container.decodeIfPresent(Bool.self, forKey: .now) ?? false)
            case .configure:
                .configure(
                    processor: try container.decode(String.self, forKey: .processor),
                    stage: try container.decodeIfPresent(String.self, forKey: .stage),
                    changes: try container.decode(JSONStructure.self, forKey: .changes).structure)
            case .events:
                .events(
                    JournalRequest(
                        full: try container.decodeIfPresent(Bool.self, forKey: .full) ?? true,
                        seq: try Self.seq(container),
                        since: try container.decodeIfPresent(Double.self, forKey: .since) ?? 0,
                        names: try Self.patterns(container, .names),
                        except: try Self.patterns(container, .except)))
            }
    }

    private static func seq(_ container: KeyedDecodingContainer<Keys>) throws -> UInt64? {
        do {
            return try container.decodeIfPresent(UInt64.self, forKey: .seq)
        } catch {
            throw ControlFailure(
                code: "request", message: "\"seq\" must be a whole number of 0 or more")
        }
    }

    private static func patterns(
        _ container: KeyedDecodingContainer<Keys>, _ key: Keys
    ) throws -> [EventNamePattern] {
        let texts = try container.decodeIfPresent([String].self, forKey: key) ?? []
        do {
            let list = JournalValue.array(texts.map { .string($0) })
            return try JournalRequest(payload: .object([JournalField("names", list)])).names
        } catch {
            throw ControlFailure(
                code: "request",
                message: "\"\(key.rawValue)\" must be a list of at most "
                    + "\(JournalRequest.maximumPatternCount) names of events, with * and ? for others"
            )
        }
    }

    /// Writes what `init(from:)` reads.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(id, forKey: .id)
        try container.encode(command.name, forKey: .command)
        switch command {
        case .status, .statistics, .resetStatistics: break
        case .stop(let now): try container.encode(now, forKey: .now)
        case .configure(let processor, let stage, let changes):
            try container.encode(processor, forKey: .processor)
            try container.encodeIfPresent(stage, forKey: .stage)
            try container.encode(JSONStructure(structure: changes), forKey: .changes)
        case .events(let request):
            try container.encode(request.full, forKey: .full)
            try container.encodeIfPresent(request.seq, forKey: .seq)
            if request.since > 0 { try container.encode(request.since, forKey: .since) }
            if !request.names.isEmpty {
                try container.encode(request.names.map(\.text), forKey: .names)
            }
            if !request.except.isEmpty {
                try container.encode(request.except.map(\.text), forKey: .except)
            }
        }
    }
}

extension ControlResponse: Codable {
    private enum Keys: String, CodingKey { case id, ok, status, statistics, version, error }

    /// Reads `{"id": 1, "ok": true, …}` or `{"id": 1, "error": {…}}`.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        id = try container.decodeIfPresent(UInt64.self, forKey: .id) ?? 0
        if let failure = try container.decodeIfPresent(ControlFailure.self, forKey: .error) {
            answer = .failure(failure)
        } else if let value = try container.decodeIfPresent(RunStatus.self, forKey: .status) {
            answer = .status(value)
        } else if let value = try container.decodeIfPresent(
            RunStatisticsRecord.self, forKey: .statistics)
        {
            answer = .statistics(value)
        } else if let value = try container.decodeIfPresent(UInt64.self, forKey: .version) {
            answer = .configured(version: value)
        } else {
            answer = .done
        }
    }

    /// Writes what `init(from:)` reads.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(id, forKey: .id)
        if case .failure(let failure) = answer {
            try container.encode(failure, forKey: .error)
            return
        }
        try container.encode(true, forKey: .ok)
        switch answer {
        case .done, .failure: break
        case .status(let value): try container.encode(value, forKey: .status)
        case .statistics(let value): try container.encode(value, forKey: .statistics)
        case .configured(let version): try container.encode(version, forKey: .version)
        }
    }
}

/// One JSON object on one line.
enum ControlLine {
    /// The object with its line end.
    static func bytes(of value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    }

    /// The object of a line.
    static func value<Value: Decodable>(
        _ type: Value.Type, of line: some Collection<UInt8>
    ) throws -> Value {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        return try decoder.decode(type, from: Data(line))
    }

    /// The id of a line that is no request, 0 where it has none.
    static func id(of line: [UInt8]) -> UInt64 {
        struct Numbered: Decodable { var id: UInt64 }
        // Any line may come; what can't be read has no id.
        return (try? value(Numbered.self, of: line))?.id ?? 0
    }

    /// Why a line is no request, in a sentence.
    static func failure(_ error: any Error) -> ControlFailure {
        if let failure = error as? ControlFailure { return failure }
        let reason =
            switch error as? DecodingError {
            case .keyNotFound(let key, _): "it has no \"\(key.stringValue)\""
            case .typeMismatch(_, let context), .valueNotFound(_, let context):
                "\"\(context.codingPath.last?.stringValue ?? "it")\" has another kind of value"
            case .dataCorrupted(let context) where !context.codingPath.isEmpty:
                "\"\(context.codingPath.last?.stringValue ?? "it")\" can't have that value"
            case .dataCorrupted, .none, .some: "it is no JSON object of the known form"
            }
        return ControlFailure(code: "request", message: "the line is no request: \(reason)")
    }
}

/// A structure as a JSON object; its fields are sorted by name when it is read.
struct JSONStructure: Codable {
    var structure: Structure

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ text: String) { stringValue = text }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(structure: Structure) { self.structure = structure }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        structure = Structure()
        for key in container.allKeys.sorted(by: { $0.stringValue < $1.stringValue }) {
            structure[key.stringValue] = try container.decode(JSONValue.self, forKey: key).value
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        for field in structure.fields {
            try container.encode(JSONValue(value: field.value), forKey: Key(field.name))
        }
    }

    /// One value of a structure.
    private struct JSONValue: Codable {
        var value: StructureValue

        init(value: StructureValue) { self.value = value }

        init(from decoder: any Decoder) throws {
            let single = try decoder.singleValueContainer()
            if let value = try? single.decode(Bool.self) {
                self.value = .scalar(.boolean(value))
            } else if let value = try? single.decode(Int64.self) {
                self.value = .scalar(.int64(value))
            } else if let value = try? single.decode(UInt64.self) {
                self.value = .scalar(.uint64(value))
            } else if let value = try? single.decode(Double.self) {
                self.value = .scalar(.float64(value))
            } else if let value = try? single.decode(String.self) {
                self.value = .scalar(.string(value))
            } else if let values = try? single.decode([JSONValue].self) {
                self.value = .list(values.map(\.value))
            } else {
                self.value = .structure(try JSONStructure(from: decoder).structure)
            }
        }

        func encode(to encoder: any Encoder) throws {
            if case .structure(let structure) = value {
                return try JSONStructure(structure: structure).encode(to: encoder)
            }
            var single = encoder.singleValueContainer()
            switch value {
            case .list(let values): try single.encode(values.map(JSONValue.init(value:)))
            case .structure: break
            case .scalar(let scalar):
                switch scalar {
                case .boolean(let value): try single.encode(value)
                case .string(let value): try single.encode(value)
                case .float32, .float64: try single.encode(scalar.doubleValue)
                case .uint64(let value): try single.encode(value)
                case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32:
                    try single.encode(scalar.int64Value)
                }
            }
        }
    }
}
