import DataProcessing
import NDArrays

/// A format of names. Control bytes: a number; then a line with the format, one with the name of the source,
/// and a text.
enum NameFormats: FuzzTarget {
    nonisolated(unsafe) private static let frame = Frame()
    nonisolated(unsafe) private static let memory = PrivateFrameMemory()

    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        var input = FuzzInput(bytes)
        let number = input.word()
        let lines = input.text.split(
            separator: "\n", maxSplits: 2, omittingEmptySubsequences: false
        ).map(String.init)
        let format: OutputNameFormat
        do {
            format = try OutputNameFormat(lines[0])
        } catch {
            return try expect(!error.description.isEmpty, "an error says what is wrong")
        }
        try expect(format.description == lines[0], "a format is shown as it was written")
        fill(
            number, source: lines.count > 1 ? lines[1] : "", text: lines.count > 2 ? lines[2] : "")
        do {
            let name = try format.name(
                for: frame, processorId: Int(truncatingIfNeeded: number), outputFileId: number)
            try expectName(name)
            let again = try format.name(
                for: frame, processorId: Int(truncatingIfNeeded: number), outputFileId: number)
            try expect(again == name, "a name depends on its frame alone", [name, again])
        } catch let error as ProcessingError {
            try expect(!error.description.isEmpty, "an error says what is wrong")
        }
    }

    /// A frame with a value of every type.
    private static func fill(_ number: UInt64, source: String, text: String) {
        let attributes: [(String, ScalarValue?)] = [
            ("s", .string(text)), ("d", .float64(Double(bitPattern: number))),
            ("f", .float32(Float(bitPattern: UInt32(truncatingIfNeeded: number)))),
            ("i", .int64(Int64(bitPattern: number))), ("u", .uint64(number)),
            ("b", .boolean(number & 1 == 1)), ("c", .int8(Int8(truncatingIfNeeded: number))),
            ("n", nil),
        ]
        frame.reset(
            key: FrameKey(frameId: number, branch: number & 1023), uniqueId: number,
            timeStamp: TimeStamp(
                secondsPastEpoch: Int64(bitPattern: number),
                nanoseconds: Int32(truncatingIfNeeded: number)),
            attributes: NDAttributes(attributes.map { NDAttribute($0.0, $0.1) }),
            sourceName: source, content: .structure(Structure(), typeName: ""), region: nil,
            byteCount: 0, memory: memory)
    }

    private static func expectName(_ name: String) throws {
        let bytes = Array(name.utf8)
        try expect(
            (1...OutputNameFormat.maximumByteCount).contains(bytes.count),
            "a name has a length that files may have", [name])
        try expect(
            !bytes.contains(0) && !bytes.contains(UInt8(ascii: "/")) && name != "." && name != "..",
            "a name names a file in its folder", [name])
    }
}
