internal import NDArrays
internal import Wire

/// What became of one frame in one stage, as the ledger keeps it.
struct Closing: Equatable, Sendable {
    /// Number of "no worker".
    static let noWorker: Int32 = -1

    var key: FrameKey
    /// The source's own id.
    var uniqueId: UInt64 = 0
    /// The configuration it was dispatched with; 0: it never was.
    var configurationVersion: UInt64 = 0
    /// Bytes of pixels that went in and that came out.
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0
    /// The worker that had it last, `noWorker` when none did.
    var worker = Closing.noWorker
    /// How many workers had died of it.
    var attempt: UInt32 = 0
    /// Outputs; every stage that takes this one's outputs gets so many frames.
    var outputCount: UInt32 = 0
    /// Files that got their names.
    var fileCount: UInt32 = 0
    /// Place of the stage in the run.
    var stage: UInt16
    var fate: FrameFate
    /// The reason, where an overload policy let it go; its fate is `dropped` then.
    var overload: OverloadReason?

    /// The outcome in a ledger: that of the fate, or one of its own for each policy's reason.
    fileprivate var outcomeCode: UInt8 {
        switch overload {
        case .overload: 5
        case .sample: 6
        case nil: UInt8(fate.rawValue)
        }
    }
}

/// Closings that are written together.
struct ClosingBatch: Equatable, Sendable {
    /// Most closings in a record: 4096 of the longest (85 bytes) stay far below the most a record has.
    static let maximumCount = 4096

    /// Nanoseconds since the POSIX epoch at which the batch was written: each entry was closed at most
    /// some 20 ms before.
    var time: UInt64
    /// The highest frame id that was accepted until then.
    var highestFrameId: UInt64
    /// Frames without a valid identity so far.
    var rejected: UInt64 = 0
    var closings: [Closing]
}

/// Which fields of a closing are the same as in the closing before of the same stage, and so left out.
private struct Repeats: OptionSet {
    let rawValue: UInt8

    /// The stage is that of the closing before.
    static let stage = Repeats(rawValue: 1)
    /// The frame id is one more, the branch the same.
    static let key = Repeats(rawValue: 2)
    /// Unique id and frame id differ by as much.
    static let uniqueId = Repeats(rawValue: 4)
    static let worker = Repeats(rawValue: 8)
    /// Fate, attempt and version.
    static let fate = Repeats(rawValue: 16)
    /// Number of outputs and of files.
    static let counts = Repeats(rawValue: 32)
    /// Bytes in and out.
    static let bytes = Repeats(rawValue: 64)
}

/// The closing before of every stage, from which the next one is told.
private struct ClosingHistory {
    private var last: [Closing] = []
    var stage: UInt16 = 0

    subscript(stage: UInt16) -> Closing {
        mutating get {
            while last.count <= Int(stage) {
                last.append(
                    Closing(key: FrameKey(frameId: 0), stage: UInt16(last.count), fate: .processed))
            }
            return last[Int(stage)]
        }
        set { last[Int(stage)] = newValue }
    }
}

// MARK: - Writing

extension ByteWriter {
    /// The closings after one another.
    mutating func writeClosings(_ closings: ArraySlice<Closing>) {
        var history = ClosingHistory()
        var bytes = VariableBytes()
        for closing in closings {
            if !bytes.hasRoom { bytes.move(to: &self) }
            bytes.add(closing, &history)
        }
        bytes.move(to: &self)
    }
}

/// Numbers of 7 bits a byte, the lowest first, gathered before they go to a writer at once.
private struct VariableBytes {
    /// The longest closing.
    private static let maximumClosingByteCount = 85
    private var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(4096) }

    var hasRoom: Bool { bytes.count + Self.maximumClosingByteCount <= 4096 }

    mutating func move(to writer: inout ByteWriter) {
        bytes.withUnsafeBytes { writer.writeBytes($0) }
        bytes.removeAll(keepingCapacity: true)
    }

    mutating func add(_ closing: Closing, _ history: inout ClosingHistory) {
        let before = history[closing.stage]
        var repeats: Repeats = closing.stage == history.stage ? .stage : []
        let isNext = closing.key.frameId == before.key.frameId &+ 1
        if isNext && closing.key.branch == before.key.branch { repeats.insert(.key) }
        let difference = closing.uniqueId &- closing.key.frameId
        if difference == before.uniqueId &- before.key.frameId { repeats.insert(.uniqueId) }
        if closing.worker == before.worker { repeats.insert(.worker) }
        if closing.outcomeCode == before.outcomeCode && closing.attempt == before.attempt
            && closing.configurationVersion == before.configurationVersion
        {
            repeats.insert(.fate)
        }
        if closing.outputCount == before.outputCount && closing.fileCount == before.fileCount {
            repeats.insert(.counts)
        }
        if closing.bytesIn == before.bytesIn && closing.bytesOut == before.bytesOut {
            repeats.insert(.bytes)
        }
        bytes.append(repeats.rawValue)
        if !repeats.contains(.stage) { add(UInt64(closing.stage)) }
        if !repeats.contains(.key) {
            add(Self.zigzag(closing.key.frameId &- before.key.frameId))
            add(closing.key.branch)
        }
        if !repeats.contains(.uniqueId) { add(Self.zigzag(difference)) }
        if !repeats.contains(.worker) { add(UInt64(UInt32(bitPattern: closing.worker &+ 1))) }
        if !repeats.contains(.fate) {
            bytes.append(closing.outcomeCode)
            add(UInt64(closing.attempt))
            add(closing.configurationVersion)
        }
        if !repeats.contains(.counts) {
            add(UInt64(closing.outputCount))
            add(UInt64(closing.fileCount))
        }
        if !repeats.contains(.bytes) {
            add(closing.bytesIn)
            add(closing.bytesOut)
        }
        history.stage = closing.stage
        history[closing.stage] = closing
    }

    private mutating func add(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Small differences either way become small numbers: 0, −1, 1, −2 … are 0, 1, 2, 3 …
    private static func zigzag(_ difference: UInt64) -> UInt64 {
        let signed = Int64(bitPattern: difference)
        return UInt64(bitPattern: (signed << 1) ^ (signed >> 63))
    }
}

extension ByteWriter {
    /// A number in 7 bits a byte, the lowest first.
    mutating func writeVariable(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            writeUInt8(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        writeUInt8(UInt8(truncatingIfNeeded: rest))
    }
}

// MARK: - Reading

extension ByteReader {
    /// A number in 7 bits a byte; refused when it does not fit into 64 bits.
    mutating func readVariable(
        maximum: UInt64 = .max, field: WireError.FieldName = "number"
    ) throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try readUInt8()
            let bits = UInt64(byte & 0x7F)
            guard shift < 63 || (shift == 63 && bits <= 1) else {
                throw error(.valueOutOfRange(field: field, value: .max, maximum: maximum))
            }
            value |= bits << shift
            if byte & 0x80 == 0 { break }
            shift += 7
        }
        guard value <= maximum else {
            throw error(.valueOutOfRange(field: field, value: value, maximum: maximum))
        }
        return value
    }

    /// So many closings as `writeClosings` writes them.
    mutating func readClosings(count: Int) throws(WireError) -> [Closing] {
        var closings: [Closing] = []
        closings.reserveCapacity(count)
        var history = ClosingHistory()
        for _ in 0..<count {
            let closing = try readClosing(&history)
            history.stage = closing.stage
            history[closing.stage] = closing
            closings.append(closing)
        }
        return closings
    }

    private mutating func readClosing(
        _ history: inout ClosingHistory
    ) throws(WireError) -> Closing {
        let flags = try readUInt8()
        guard flags & 0x80 == 0 else {
            throw error(.unknownValue(field: "flags of a closing", value: UInt64(flags)))
        }
        let repeats = Repeats(rawValue: flags)
        let stage =
            repeats.contains(.stage)
            ? history.stage
            : UInt16(
                try readVariable(
                    maximum: UInt64(LedgerRecord.maximumStageCount - 1), field: "stage"))
        let before = history[stage]
        var closing = before
        var frameId = before.key.frameId &+ 1
        var branch = before.key.branch
        if !repeats.contains(.key) {
            frameId = before.key.frameId &+ Self.unzigzag(try readVariable())
            branch = try readVariable()
        }
        closing.key = FrameKey(frameId: frameId, branch: branch)
        guard closing.key.isWellFormed else {
            throw error(.unknownValue(field: "branch", value: branch))
        }
        let difference =
            repeats.contains(.uniqueId)
            ? before.uniqueId &- before.key.frameId : Self.unzigzag(try readVariable())
        closing.uniqueId = frameId &+ difference
        if !repeats.contains(.worker) {
            let worker = UInt32(try readVariable(maximum: UInt64(UInt32.max), field: "worker"))
            closing.worker = Int32(bitPattern: worker) &- 1
        }
        if !repeats.contains(.fate) {
            (closing.fate, closing.overload) = try readOutcome()
            closing.attempt = UInt32(
                try readVariable(maximum: UInt64(UInt32.max), field: "attempt"))
            closing.configurationVersion = try readVariable()
        }
        if !repeats.contains(.counts) {
            let maximum = UInt64(FrameKey.maximumOutputCount)
            closing.outputCount = UInt32(try readVariable(maximum: maximum, field: "outputs"))
            closing.fileCount = UInt32(try readVariable(maximum: maximum, field: "files"))
        }
        if !repeats.contains(.bytes) {
            closing.bytesIn = try readVariable()
            closing.bytesOut = try readVariable()
        }
        return closing
    }

    /// What became of a frame, and why a policy let it go, as one byte.
    private mutating func readOutcome() throws(WireError) -> (FrameFate, OverloadReason?) {
        let code = try readUInt8()
        if code == 5 { return (.dropped, .overload) }
        if code == 6 { return (.dropped, .sample) }
        guard let fate = FrameFate(rawValue: Int(code)) else {
            throw error(.unknownValue(field: "outcome", value: UInt64(code)))
        }
        return (fate, nil)
    }

    /// What became of a frame, as one byte.
    mutating func readFate() throws(WireError) -> FrameFate {
        let code = try readUInt8()
        guard let fate = FrameFate(rawValue: Int(code)) else {
            throw error(.unknownValue(field: "outcome", value: UInt64(code)))
        }
        return fate
    }

    private static func unzigzag(_ value: UInt64) -> UInt64 {
        (value >> 1) ^ (0 &- (value & 1))
    }
}
