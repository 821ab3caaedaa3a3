internal import NDArrays
internal import Wire
internal import WorkerProtocol

extension LedgerRecord {
    /// Reads the body of a record: any bytes give a record or an error with its offset.
    init(from reader: inout ByteReader) throws(WireError) {
        let kind = try reader.readUInt8()
        switch kind {
        case 6: self = .run(try LedgerRun(from: &reader))
        case 7: self = .resumed(try LedgerResumption(from: &reader))
        case 8: self = .directory(path: try reader.readLedgerText())
        case 9: self = try Self.intent(from: &reader)
        case 10: self = .closings(try ClosingBatch(from: &reader))
        case 11: self = .reason(try FrameReason(from: &reader))
        case 12:
            self = .change(
                stage: try reader.readStage(), try ConfigureCommand(from: &reader))
        case 13:
            self = .changeTakenBack(
                stage: try reader.readStage(), version: try reader.readUInt64())
        case 14: self = .undone(key: try reader.readKey(), stage: try reader.readStage())
        case 15: self = .account(try LedgerAccount(from: &reader))
        case 16: self = try Self.claims(from: &reader)
        default: throw reader.error(.unknownValue(field: "ledger record", value: UInt64(kind)))
        }
        try reader.finish()
    }

    private static func claims(from reader: inout ByteReader) throws(WireError) -> LedgerRecord {
        let key = try reader.readKey()
        let stage = try reader.readStage()
        let count = try reader.readCount(
            elementByteCount: 20, maximum: ProtocolLimits.maximumClaimCount, field: "claim count")
        var claims: [FrameClaim] = []
        for _ in 0..<count {
            let scope = try reader.readText(
                maximumByteCount: FrameClaim.maximumScopeByteCount, field: "scope of a claim")
            claims.append(FrameClaim(scope: scope, key: try reader.readKey()))
        }
        return .claims(EntryId(key: key, stage: stage), claims)
    }

    private static func intent(from reader: inout ByteReader) throws(WireError) -> LedgerRecord {
        let closing = try reader.readClosings(count: 1)[0]
        let count = try reader.readCount(
            elementByteCount: 22, maximum: ProtocolLimits.maximumOutputCount, field: "file count")
        var files: [StagedFile] = []
        for _ in 0..<count {
            let stagedPath = try reader.readLedgerText()
            let finalPath = try reader.readLedgerText()
            let byteCount = try reader.readUInt64()
            let hasChecksum = try reader.readBool()
            let checksum = try reader.readUInt32()
            files.append(
                StagedFile(
                    stagedPath: stagedPath, finalPath: finalPath, byteCount: byteCount,
                    checksum: hasChecksum ? checksum : nil, mayReplace: try reader.readBool()))
        }
        return .intent(closing, files: files)
    }
}

extension LedgerRun {
    fileprivate init(from reader: inout ByteReader) throws(WireError) {
        let format = try reader.readUInt32()
        guard format == Self.format else {
            throw reader.error(.unknownValue(field: "ledger format", value: UInt64(format)))
        }
        runId = try reader.readLedgerText()
        source = try reader.readLedgerText()
        let hasFingerprint = try reader.readBool()
        let fingerprint = try reader.readLedgerText()
        self.fingerprint = hasFingerprint ? fingerprint : nil
        let hasCount = try reader.readBool()
        let count = try reader.readUInt64()
        frameCount = hasCount ? count : nil
        let stageCount = try reader.readCount(
            elementByteCount: 9, maximum: LedgerRecord.maximumStageCount, field: "stage count")
        stages = []
        for _ in 0..<stageCount {
            let name = try reader.readLedgerText()
            let hasUpstream = try reader.readBool()
            let from = try reader.readLedgerText()
            stages.append(Stage(name: name, from: hasUpstream ? from : nil))
        }
    }
}

extension LedgerResumption {
    fileprivate init(from reader: inout ByteReader) throws(WireError) {
        life = try reader.readUInt32()
        time = try reader.readUInt64()
        tornByteCount = try reader.readUInt64()
        let bits = try reader.readUInt8()
        guard bits >> UInt8(FrameFate.allCases.count) == 0 else {
            throw reader.error(.unknownValue(field: "outcomes", value: UInt64(bits)))
        }
        reopened = Set(FrameFate.allCases.filter { bits & 1 << UInt8($0.rawValue) != 0 })
    }
}

extension ClosingBatch {
    fileprivate init(from reader: inout ByteReader) throws(WireError) {
        time = try reader.readUInt64()
        highestFrameId = try reader.readVariable()
        rejected = try reader.readVariable()
        let maximum = UInt64(Self.maximumCount)
        let count = try reader.readVariable(maximum: maximum, field: "closings")
        closings = try reader.readClosings(count: Int(count))
    }
}

extension FrameReason {
    fileprivate init(from reader: inout ByteReader) throws(WireError) {
        key = try reader.readKey()
        stage = try reader.readStage()
        uniqueId = try reader.readUInt64()
        fate = try reader.readFate()
        source = try reader.readLedgerText()
        reason = try reader.readLedgerText()
    }
}

extension LedgerAccount {
    fileprivate init(from reader: inout ByteReader) throws(WireError) {
        stage = try reader.readLedgerText()
        accepted = try reader.readUInt64()
        processed = try reader.readUInt64()
        filtered = try reader.readUInt64()
        failed = try reader.readUInt64()
        quarantined = try reader.readUInt64()
        dropped = try reader.readUInt64()
        inFlight = try reader.readUInt64()
        rejected = try reader.readUInt64()
    }
}

extension ByteReader {
    fileprivate mutating func readLedgerText() throws(WireError) -> String {
        try readText(maximumByteCount: ProtocolLimits.maximumTextByteCount)
    }

    fileprivate mutating func readStage() throws(WireError) -> UInt16 {
        let stage = try readUInt16()
        guard stage < LedgerRecord.maximumStageCount else {
            throw error(
                .valueOutOfRange(
                    field: "stage", value: UInt64(stage),
                    maximum: UInt64(LedgerRecord.maximumStageCount - 1)))
        }
        return stage
    }

    fileprivate mutating func readKey() throws(WireError) -> FrameKey {
        let key = FrameKey(frameId: try readUInt64(), branch: try readUInt64())
        guard key.isWellFormed else {
            throw error(.unknownValue(field: "branch", value: key.branch))
        }
        return key
    }
}
