/// The directory of one page: its entries, with values read on demand (TIFF 6.0 §2, BigTIFF).
struct Directory {
    /// Directories have a few dozen entries; areaDetector's at most some 550.
    static let maximumEntryCount: UInt64 = 65_535
    /// A text is held in memory: none that describes a picture is larger.
    static let maximumTextByteCount: UInt64 = 16 << 20

    let source: DirectorySource
    let page: Int
    let byteOffset: UInt64
    /// Where the next directory is, 0 after the last one.
    let nextOffset: UInt64
    let entries: [TIFFTag]

    /// The first entry with this number, nil when there is none.
    func entry(_ code: UInt16) -> TIFFTag? {
        entries.first { $0.code == code }
    }

    /// An error at one of the tags.
    func fault(_ code: TIFFError.Code, tag: UInt16? = nil, at offset: UInt64? = nil) -> TIFFError {
        let place = offset ?? tag.flatMap { entry($0)?.byteOffset } ?? byteOffset
        return TIFFError(
            code, path: source.file.path, page: page, tag: tag, byteOffset: place)
    }

    /// The first value of a tag of whole numbers, nil when the tag is missing.
    func number(_ code: UInt16) throws(TIFFError) -> UInt64? {
        guard let entry = entry(code) else { return nil }
        guard entry.count > 0 else { throw fault(.damaged("no value"), tag: code) }
        return try numbers(entry, limit: 1)[0]
    }

    /// The values of a tag of whole numbers, at most `limit` of them.
    func numbers(_ entry: TIFFTag, limit: UInt64) throws(TIFFError) -> [UInt64] {
        guard let type = FieldType(rawValue: entry.type) else {
            throw fault(.damaged("type \(entry.type) is unknown"), tag: entry.code)
        }
        let count = Int(min(entry.count, limit))
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: type.byteCount)
        guard !overflow else { throw fault(.damaged("too many values"), tag: entry.code) }
        let bytes = try source.copy(entry, byteCount: byteCount, page: page)
        let integers = source.integers
        var values = [UInt64](repeating: 0, count: count)
        switch type {
        case .byte: for index in 0..<count { values[index] = UInt64(bytes[index]) }
        case .short, .long, .directory, .long8, .directory8:
            bytes.withUnsafeBytes { bytes in
                for index in 0..<count {
                    values[index] = integers.unsigned(bytes, index, byteCount: type.byteCount)
                }
            }
        case .ascii, .rational, .signedByte, .undefined, .signedShort, .signedLong,
            .signedRational, .float, .double, .signedLong8:
            throw fault(.damaged("type \(entry.type) is no unsigned number"), tag: entry.code)
        }
        return values
    }

    /// The first value of a tag of floating-point or rational numbers; nil when it is missing or
    /// undefined.
    func real(_ code: UInt16) throws(TIFFError) -> Double? {
        guard let entry = entry(code), entry.count > 0 else { return nil }
        guard let type = FieldType(rawValue: entry.type) else { return nil }
        let bytes = try source.copy(entry, byteCount: type.byteCount, page: page)
        let integers = source.integers
        return bytes.withUnsafeBytes { bytes in
            switch type {
            case .double:
                return Double(bitPattern: integers.uint64(bytes, 0))
            case .float:
                return Double(Float(bitPattern: integers.uint32(bytes, 0)))
            case .rational:
                let denominator = integers.uint32(bytes, 4)
                return denominator == 0
                    ? nil : Double(integers.uint32(bytes, 0)) / Double(denominator)
            case .byte, .ascii, .short, .long, .signedByte, .undefined, .signedShort, .signedLong,
                .signedRational, .directory, .long8, .signedLong8, .directory8:
                return nil
            }
        }
    }

    /// The text of a tag up to its first zero byte; nil when it is missing or not a text.
    ///
    /// UTF-8 where the bytes are that, else ISO 8859-1, as older programs write units.
    func text(_ code: UInt16) throws(TIFFError) -> String? {
        guard let entry = entry(code) else { return nil }
        return try text(entry)
    }

    /// The text of an entry; see `text(_:)`.
    func text(_ entry: TIFFTag) throws(TIFFError) -> String? {
        guard entry.type == FieldType.ascii.rawValue else { return nil }
        guard entry.count <= Self.maximumTextByteCount else {
            throw fault(
                .tooLarge(
                    what: "bytes of a text", claimed: entry.count,
                    limit: Self.maximumTextByteCount),
                tag: entry.code)
        }
        let bytes = try source.copy(entry, byteCount: Int(entry.count), page: page)
        let text = bytes.prefix { $0 != 0 }
        if let decoded = String(validating: text, as: UTF8.self) { return decoded }
        var latin = ""
        for byte in text { latin.unicodeScalars.append(Unicode.Scalar(byte)) }
        return latin
    }
}

/// Whole numbers in the byte order of a file.
struct FileIntegers {
    /// Whether the file's order is not the machine's.
    let isSwapped: Bool

    /// The whole number at `index` of those of 2, 4 or 8 bytes.
    func unsigned(_ bytes: UnsafeRawBufferPointer, _ index: Int, byteCount: Int) -> UInt64 {
        switch byteCount {
        case 2: UInt64(uint16(bytes, 2 * index))
        case 4: UInt64(uint32(bytes, 4 * index))
        default: uint64(bytes, 8 * index)
        }
    }

    func uint16(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt16 {
        let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
        return isSwapped ? value.byteSwapped : value
    }

    func uint32(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
        return isSwapped ? value.byteSwapped : value
    }

    func uint64(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        return isSwapped ? value.byteSwapped : value
    }
}

/// Where directories come from: a file with its byte order and its kind of offsets.
struct DirectorySource {
    let file: InputFile
    let integers: FileIntegers
    let isBig: Bool
    let firstOffset: UInt64

    /// Reads the 8 or 16 bytes that begin every TIFF file.
    init(_ file: InputFile) throws(TIFFError) {
        self.file = file
        func fault(_ code: TIFFError.Code, at offset: UInt64) -> TIFFError {
            TIFFError(code, path: file.path, byteOffset: offset)
        }
        func bytes(at offset: UInt64, count: Int) throws(TIFFError) -> UnsafeRawBufferPointer {
            do throws(InputFile.Fault) {
                return try file.bytes(at: offset, count: count)
            } catch {
                throw TIFFError(fault: error, path: file.path)
            }
        }
        let count = Int(min(file.byteCount, 8))
        let head = try bytes(at: 0, count: count)
        let order = count >= 4 ? (head[0], head[1]) : (0, 0)
        let isLittle = order == (0x49, 0x49)
        guard isLittle || order == (0x4D, 0x4D) else {
            throw fault(.notATIFF(found: Self.show(head)), at: 0)
        }
        // Pixels and numbers are laid out for little-endian machines, the only ones Sluice runs on.
        integers = FileIntegers(isSwapped: !isLittle)
        let version = integers.uint16(head, 2)
        guard version == 42 || version == 43 else {
            throw fault(.notATIFF(found: Self.show(head)), at: 2)
        }
        isBig = version == 43
        guard count == 8 else { throw fault(.truncated(needed: 8, had: file.byteCount), at: 0) }
        guard isBig else {
            firstOffset = UInt64(integers.uint32(head, 4))
            return
        }
        let rest = try bytes(at: 4, count: 12)
        guard integers.uint16(rest, 0) == 8, integers.uint16(rest, 2) == 0 else {
            throw fault(.damaged("offsets of BigTIFF must have 8 bytes"), at: 4)
        }
        firstOffset = integers.uint64(rest, 4)
    }

    private static func show(_ bytes: UnsafeRawBufferPointer) -> String {
        guard bytes.count > 0 else { return "nothing (the file is empty)" }
        let hex = bytes.prefix(4).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }
        return "bytes " + hex.joined(separator: " ")
    }

    /// Where the directory after the one at `offset` is, 0 after the last; reads two numbers only.
    func nextOffset(after offset: UInt64, page: Int) throws(TIFFError) -> UInt64 {
        let count = try entryCount(at: offset, page: page)
        let link = offset + (isBig ? 8 + 20 * count : 2 + 12 * count)
        return try offsetValue(at: link, page: page)
    }

    /// Reads the entries of the directory at `offset`.
    func directory(at offset: UInt64, page: Int) throws(TIFFError) -> Directory {
        let count = try entryCount(at: offset, page: page)
        let entryByteCount = isBig ? 20 : 12
        let start = offset + (isBig ? 8 : 2)
        let bytes = try copy(
            at: start, byteCount: Int(count) * entryByteCount, page: page, tag: nil)
        var entries: [TIFFTag] = []
        entries.reserveCapacity(Int(count))
        bytes.withUnsafeBytes { bytes in
            for index in 0..<Int(count) {
                let place = index * entryByteCount
                let type = integers.uint16(bytes, place + 2)
                let valueCount =
                    isBig
                    ? integers.uint64(bytes, place + 4) : UInt64(integers.uint32(bytes, place + 4))
                let valuePlace = place + (isBig ? 12 : 8)
                let inline = isBig ? 8 : 4
                let size = UInt64(FieldType(rawValue: type)?.byteCount ?? 1)
                let (total, overflow) = valueCount.multipliedReportingOverflow(by: size)
                let pointer =
                    isBig
                    ? integers.uint64(bytes, valuePlace)
                    : UInt64(integers.uint32(bytes, valuePlace))
                entries.append(
                    TIFFTag(
                        code: integers.uint16(bytes, place), type: type, count: valueCount,
                        byteOffset: !overflow && total <= inline
                            ? start + UInt64(valuePlace) : pointer))
            }
        }
        let next = try offsetValue(at: start + UInt64(bytes.count), page: page)
        return Directory(
            source: self, page: page, byteOffset: offset, nextOffset: next, entries: entries)
    }

    /// The bytes of an entry's values.
    func copy(_ entry: TIFFTag, byteCount: Int, page: Int) throws(TIFFError) -> [UInt8] {
        try copy(at: entry.byteOffset, byteCount: byteCount, page: page, tag: entry.code)
    }

    private func copy(
        at offset: UInt64, byteCount: Int, page: Int, tag: UInt16?
    ) throws(TIFFError) -> [UInt8] {
        do throws(InputFile.Fault) {
            return try file.copy(at: offset, count: byteCount)
        } catch {
            throw TIFFError(fault: error, path: file.path, page: page, tag: tag, byteOffset: offset)
        }
    }

    private func entryCount(at offset: UInt64, page: Int) throws(TIFFError) -> UInt64 {
        let count: UInt64
        do throws(InputFile.Fault) {
            let bytes = try file.bytes(at: offset, count: isBig ? 8 : 2)
            count = isBig ? integers.uint64(bytes, 0) : UInt64(integers.uint16(bytes, 0))
        } catch {
            throw TIFFError(fault: error, path: file.path, page: page, byteOffset: offset)
        }
        guard count > 0, count <= Directory.maximumEntryCount else {
            throw TIFFError(
                .tooLarge(
                    what: "number of a directory's entries", claimed: count,
                    limit: Directory.maximumEntryCount),
                path: file.path, page: page, byteOffset: offset)
        }
        return count
    }

    private func offsetValue(at offset: UInt64, page: Int) throws(TIFFError) -> UInt64 {
        do throws(InputFile.Fault) {
            let bytes = try file.bytes(at: offset, count: isBig ? 8 : 4)
            return isBig ? integers.uint64(bytes, 0) : UInt64(integers.uint32(bytes, 0))
        } catch {
            throw TIFFError(fault: error, path: file.path, page: page, byteOffset: offset)
        }
    }
}

extension TIFFError {
    /// What went wrong with the file, at this place.
    init(
        fault: InputFile.Fault, path: String, page: Int? = nil, tag: UInt16? = nil,
        byteOffset: UInt64? = nil
    ) {
        let code: Code =
            switch fault {
            case .systemCall(let name, let errno): .systemCall(name: name, errno: errno)
            case .notARegularFile: .notARegularFile
            case .ended(let needed, let had): .truncated(needed: needed, had: had)
            }
        self.init(code, path: path, page: page, tag: tag, byteOffset: byteOffset)
    }
}
