internal import CLinux
internal import Journal

/// How bytes of a spool are laid out; all numbers are little-endian. See Docs/Explanations/Spool.md.
///
/// A frame is `marker u32, length u32, crc32c u32, body`; the checksum is over the length and the body, so a
/// damaged length is found, too, and the marker lets a reader find the next frame after damage.
enum SpoolFrame {
    /// "SlRc".
    static let marker: UInt32 = 0x6352_6C53
    static let headerByteCount = 12

    /// A frame around a body.
    static func encoded(_ body: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerByteCount + body.count)
        bytes.append(number: marker)
        bytes.append(number: UInt32(body.count))
        bytes.append(number: checksum(length: UInt32(body.count), body[...]))
        bytes.append(contentsOf: body)
        return bytes
    }

    static func checksum(length: UInt32, _ body: ArraySlice<UInt8>) -> UInt32 {
        let first = withUnsafeBytes(of: length.littleEndian) {
            cl_crc32c(0, $0.baseAddress, $0.count)
        }
        return body.withUnsafeBytes { cl_crc32c(first, $0.baseAddress, $0.count) }
    }
}

/// The first bytes of each file: `magic u64, version u32, first seq u64, crc32c u32`.
enum SpoolHeader {
    static let magic = Array("SluSpool".utf8)
    static let version: UInt32 = 1
    static let byteCount = 24

    static func encoded(firstSeq: UInt64) -> [UInt8] {
        var bytes = magic
        bytes.append(number: version)
        bytes.append(number: firstSeq)
        bytes.append(number: checksum(bytes[...]))
        return bytes
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBytes { cl_crc32c(0, $0.baseAddress, $0.count) }
    }

    /// Version and first seq of a file; nil where the header is damaged or not whole.
    static func decoded(_ bytes: [UInt8]) -> (version: UInt32, firstSeq: UInt64)? {
        guard bytes.count >= byteCount, bytes.starts(with: magic) else { return nil }
        var reader = SpoolReader(bytes[8..<byteCount])
        guard let version: UInt32 = reader.number(), let firstSeq: UInt64 = reader.number(),
            let sum: UInt32 = reader.number(), sum == checksum(bytes[..<20])
        else { return nil }
        return (version, firstSeq)
    }
}

/// A record as a segment holds it.
struct SpoolBody: Equatable {
    /// The serial number in this spool.
    var seq: UInt64
    /// Names of the destinations that owe it.
    var owed: [String]
    /// The record, after all transforms.
    var record: ExportRecord

    /// Names are counted by 16 bits, and so are destinations.
    static let maximumNameBytes = 1024

    func encoded() throws(SpoolError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(number: seq)
        bytes.append(number: UInt16(owed.count))
        for name in owed { bytes.append(text: name) }
        bytes.append(text: record.source)
        bytes.append(number: record.seq)
        bytes.append(number: UInt64(bitPattern: record.timestampNanoseconds))
        try bytes.append(value: .object(record.options), depth: 0)
        switch record.data {
        case .bytes(let data):
            bytes.append(0)
            bytes.append(contentsOf: data)
        case .value(let value):
            bytes.append(1)
            try bytes.append(value: value, depth: 0)
        }
        return bytes
    }

    /// The seq and the destinations alone: what a scan needs.
    static func header(_ body: ArraySlice<UInt8>) -> (seq: UInt64, owed: [String])? {
        var reader = SpoolReader(body)
        return reader.header()
    }

    /// The whole record; nil where the bytes say none, whatever their checksum.
    init?(_ body: ArraySlice<UInt8>) {
        var reader = SpoolReader(body)
        guard let (seq, owed) = reader.header(), let source = reader.text(),
            let number: UInt64 = reader.number(), let time: UInt64 = reader.number(),
            case .object(let options)? = reader.value(depth: 0), let kind = reader.byte()
        else { return nil }
        let data: ExportData
        switch kind {
        case 0: data = .bytes(reader.rest())
        case 1:
            guard let value = reader.value(depth: 0), reader.isAtEnd else { return nil }
            data = .value(value)
        default: return nil
        }
        self.seq = seq
        self.owed = owed
        record = ExportRecord(
            source: source, seq: number, timestampNanoseconds: Int64(bitPattern: time), data: data,
            options: options)
    }

    init(seq: UInt64, owed: [String], record: ExportRecord) {
        self.seq = seq
        self.owed = owed
        self.record = record
    }
}

/// What is written when records need not be delivered any more: a range of seqs for one destination.
struct SpoolAcknowledgement: Equatable {
    /// nil: for all destinations, because the records were dropped.
    var destination: String?
    var range: ClosedRange<UInt64>

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = [destination == nil ? 2 : 1]
        bytes.append(number: range.lowerBound)
        bytes.append(number: range.upperBound)
        bytes.append(text: destination ?? "")
        return bytes
    }

    init(destination: String?, range: ClosedRange<UInt64>) {
        self.destination = destination
        self.range = range
    }

    init?(_ body: ArraySlice<UInt8>) {
        var reader = SpoolReader(body)
        guard let kind = reader.byte(), kind == 1 || kind == 2,
            let first: UInt64 = reader.number(), let last: UInt64 = reader.number(),
            let name = reader.text(), reader.isAtEnd, first <= last, last < .max
        else { return nil }
        destination = kind == 1 ? name : nil
        range = first...last
    }
}
