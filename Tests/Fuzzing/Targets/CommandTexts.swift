import ControllerRuntime
import NDArrays

// `@testable` because these texts belong to the command line alone.
@testable import Commands

/// A processor, a source, and an assignment as they stand on the command line.
enum CommandTexts: FuzzTarget {
    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        if let processor = try accepted({ () throws(CommandError) in
            try SettingText.processor(text)
        }) {
            try expectSame(processor)
        }
        _ = try accepted { () throws(CommandError) in try SourceSpecification.parse(text) }
        if let paths = try accepted({ () throws(CommandError) in
            try SettingText.paths(text[...], of: "x")
        }) {
            try expectSame(paths)
        }
        if let pair = try accepted({ () throws(CommandError) in
            try SettingText.assignment(text, of: "x")
        }) {
            try expect(!text.hasPrefix("="), "an assignment has a key", [pair])
        }
        if let duration = QuantityText.duration(text) {
            let written = QuantityText.text(of: duration)
            try expect(
                QuantityText.duration(written) == duration, "a time is read as it was written",
                [duration, written])
        }
        _ = QuantityText.byteCount(text)
    }

    /// What a reader gives, nil when it refuses the text with a reason.
    private static func accepted<Value>(
        _ read: () throws(CommandError) -> Value
    ) throws -> Value? {
        do throws(CommandError) {
            return try read()
        } catch {
            try expect(!error.message.isEmpty, "an error says what is wrong")
            return nil
        }
    }

    private static func expectSame(_ processor: ProcessorConfiguration) throws {
        let settings = processor.settings.fields.map { field in
            "\(field.name)=\(quoted(field.value))"
        }
        let written = "\(processor.name):\(settings.joined(separator: ","))"
        do {
            let again = try SettingText.processor(written)
            try expect(
                again == processor, "a processor is read as it was written", [processor, written])
        } catch let error as CommandError {
            throw Finding("a processor that was written can be read", [processor, error.message])
        }
    }

    private static func expectSame(_ paths: [String]) throws {
        let written = paths.map(SettingText.quoted).joined(separator: ",")
        do {
            let again = try SettingText.paths(written[...], of: "x")
            try expect(again == paths, "paths are read as they were written", [paths, written])
        } catch let error as CommandError {
            throw Finding("paths that were written can be read", [paths, error.message])
        }
    }

    private static func quoted(_ value: StructureValue) -> String {
        guard case .scalar(.string(let text)) = value else { return "" }
        return SettingText.quoted(text)
    }
}
