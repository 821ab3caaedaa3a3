package import Wire

/// Why a command was not carried out.
package struct CommandFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of reason; the raw value is the code on the wire.
    package enum Code: UInt16, Sendable, CaseIterable {
        /// The executable does not offer the processor.
        case unknownProcessor = 1
        /// A setting is unknown, has a wrong value or is missing.
        case configuration = 2
        /// The command does not fit the state of the worker.
        case wrongState = 3
        /// A hook of the processor threw.
        case hook = 4
        /// The worker does not know the command or can't do it.
        case unsupported = 5
        /// Memory, descriptors or folders could not be had.
        case resources = 6
    }

    /// The kind of reason.
    package var code: Code
    /// The whole sentence for people.
    package var reason: String

    /// A refusal with its reason.
    package init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The reason.
    package var description: String { reason }
}

/// The answer to a command that gives no data.
package enum Reply: Sendable, Hashable {
    /// It has been carried out.
    case success
    /// It was not, and nothing has changed.
    case failure(CommandFailure)

    /// Writes the body of a `reply`.
    package func write(to writer: inout ByteWriter) {
        switch self {
        case .success: writer.writeUInt16(0)
        case .failure(let failure):
            writer.writeUInt16(failure.code.rawValue)
            writer.writeReason(failure.reason)
        }
    }

    /// Reads the body of a `reply`.
    package init(from reader: inout ByteReader) throws(WireError) {
        let code = try reader.readUInt16()
        if code == 0 {
            self = .success
        } else {
            guard let known = CommandFailure.Code(rawValue: code) else {
                throw reader.error(.unknownValue(field: "reply code", value: UInt64(code)))
            }
            self = .failure(CommandFailure(known, try reader.readLongText()))
        }
        try reader.finish()
    }
}

/// What one setting of a processor is, for people and for checks before anything starts.
package struct SettingDescription: Sendable, Hashable {
    /// Name of the setting.
    package var key: String
    /// Kind of its values: `boolean`, `integer`, `number`, `text`, `path`, `list`, `choice`.
    package var kind: String
    /// The default as text; nil when the setting must be given.
    package var defaultValue: String?
    /// What is allowed, as text (`0 … 65535`, `none | deflate | lzw | zstd`); empty for anything.
    package var allowed: String
    /// Unit of the value, empty for none.
    package var unit: String
    /// One sentence.
    package var summary: String
    /// Whether it may change while the run goes on.
    package var isChangeable: Bool

    /// A setting with these properties.
    package init(
        key: String, kind: String, defaultValue: String?, allowed: String, unit: String,
        summary: String, isChangeable: Bool
    ) {
        self.key = key
        self.kind = kind
        self.defaultValue = defaultValue
        self.allowed = allowed
        self.unit = unit
        self.summary = summary
        self.isChangeable = isChangeable
    }
}

/// What a worker executable says of one processor it offers.
package struct ProcessorDescription: Sendable, Hashable {
    /// Class name.
    package var name: String
    /// One sentence.
    package var summary: String
    /// The most outputs of a frame for which it wants slots.
    package var maximumOutputCount: UInt32
    /// Its settings.
    package var settings: [SettingDescription]

    /// A processor with its settings.
    package init(
        name: String, summary: String, maximumOutputCount: UInt32, settings: [SettingDescription]
    ) {
        self.name = name
        self.summary = summary
        self.maximumOutputCount = maximumOutputCount
        self.settings = settings
    }

    /// Writes the body of a `description`.
    package static func write(_ processors: [ProcessorDescription], to writer: inout ByteWriter) {
        writer.writeCount(
            processors.count, maximum: ProtocolLimits.maximumProcessorCount,
            field: "processor count")
        for processor in processors {
            writer.writeName(processor.name)
            writer.writeLongText(processor.summary)
            writer.check(
                UInt64(processor.maximumOutputCount),
                maximum: UInt64(ProtocolLimits.maximumOutputCount), field: "output count")
            writer.writeUInt32(processor.maximumOutputCount)
            writer.writeCount(
                processor.settings.count, maximum: ProtocolLimits.maximumFieldCount,
                field: "setting count")
            for setting in processor.settings {
                writer.writeName(setting.key)
                writer.writeName(setting.kind)
                writer.writeBool(setting.defaultValue != nil)
                if let value = setting.defaultValue { writer.writeLongText(value) }
                writer.writeLongText(setting.allowed)
                writer.writeName(setting.unit)
                writer.writeLongText(setting.summary)
                writer.writeBool(setting.isChangeable)
            }
        }
    }

    /// Reads the body of a `description`.
    package static func read(
        from reader: inout ByteReader
    ) throws(WireError) -> [ProcessorDescription] {
        let count = try reader.readCount(
            elementByteCount: 16, maximum: ProtocolLimits.maximumProcessorCount,
            field: "processor count")
        var processors: [ProcessorDescription] = []
        for _ in 0..<count {
            var processor = ProcessorDescription(
                name: try reader.readName(), summary: try reader.readLongText(),
                maximumOutputCount: try reader.readUInt32(), settings: [])
            try reader.check(
                UInt64(processor.maximumOutputCount),
                maximum: UInt64(ProtocolLimits.maximumOutputCount), field: "output count")
            let settingCount = try reader.readCount(
                elementByteCount: 22, maximum: ProtocolLimits.maximumFieldCount,
                field: "setting count")
            for _ in 0..<settingCount { processor.settings.append(try readSetting(from: &reader)) }
            processors.append(processor)
        }
        try reader.finish()
        return processors
    }

    private static func readSetting(
        from reader: inout ByteReader
    ) throws(WireError) -> SettingDescription {
        let key = try reader.readName()
        let kind = try reader.readName()
        let defaultValue = try reader.readBool() ? try reader.readLongText() : nil
        return SettingDescription(
            key: key, kind: kind, defaultValue: defaultValue, allowed: try reader.readLongText(),
            unit: try reader.readName(), summary: try reader.readLongText(),
            isChangeable: try reader.readBool())
    }
}

/// Not asked for: what became of a prepared configuration when its first frame came.
package struct Configured: Sendable, Hashable {
    /// The version.
    package var version: UInt64
    /// nil when it was applied, else why not; the worker then still has the version before.
    package var failure: CommandFailure?

    /// The news of `version`.
    package init(version: UInt64, failure: CommandFailure?) {
        self.version = version
        self.failure = failure
    }

    /// Writes the body of a `configured`.
    package func write(to writer: inout ByteWriter) {
        writer.writeUInt64(version)
        (failure.map(Reply.failure) ?? .success).write(to: &writer)
    }

    /// Reads the body of a `configured`.
    package init(from reader: inout ByteReader) throws(WireError) {
        version = try reader.readUInt64()
        switch try Reply(from: &reader) {
        case .success: failure = nil
        case .failure(let reason): failure = reason
        }
    }
}

/// Not asked for: staged files will be in this folder, of which the worker has not spoken in this life.
package struct Staging: Sendable, Hashable {
    /// Absolute path.
    package var folder: String

    /// The news of `folder`.
    package init(folder: String) { self.folder = folder }

    /// Writes the body of a `staging`.
    package func write(to writer: inout ByteWriter) { writer.writeLongText(folder) }

    /// Reads the body of a `staging`.
    package init(from reader: inout ByteReader) throws(WireError) {
        folder = try reader.readLongText()
        try reader.finish()
    }
}
