package import NDArrays
package import Wire

/// What became of a frame in a worker.
package enum FrameOutcome: Sendable, Hashable {
    /// It went through the whole chain.
    case processed
    /// A processor took it out on purpose.
    case filtered
    /// A processor refused it or could not read it: place in the chain, and why.
    case failed(processorIndex: UInt32, reason: String)
    /// `processorIndex` of a frame that failed before any processor saw it: it could not be read.
    package static let beforeChain = UInt32.max
    /// The worker gave it back untouched: it could not apply the frame's configuration.
    case returned(reason: String)
    /// The place of its files can't take them now, which is no fault of the frame: nothing of it is
    /// left, and it is to be given out again. Since version 2.
    case held(reason: String)
}

/// A file that a worker has written under a temporary name.
package struct StagedFile: Sendable, Hashable {
    /// Where it is now.
    package var stagedPath: String
    /// Where the controller is to put it.
    package var finalPath: String
    /// Bytes of the file.
    package var byteCount: UInt64
    /// CRC32C of the file; nil when the worker did not compute it.
    package var checksum: UInt32?
    /// Whether a file of that name may be replaced.
    package var mayReplace: Bool

    /// A staged file.
    package init(
        stagedPath: String, finalPath: String, byteCount: UInt64, checksum: UInt32?,
        mayReplace: Bool
    ) {
        self.stagedPath = stagedPath
        self.finalPath = finalPath
        self.byteCount = byteCount
        self.checksum = checksum
        self.mayReplace = mayReplace
    }
}

/// The answer to `process`.
package struct FrameResult: Sendable, Hashable {
    /// What became of the frame.
    package var outcome: FrameOutcome
    /// The id of the frame, which for references only the worker knows.
    package var uniqueId: UInt64
    /// Time in the chain, from first processor to last, in nanoseconds.
    package var processingNanoseconds: UInt64
    /// Bytes of pixels that came in and that went out.
    package var bytesIn: UInt64
    package var bytesOut: UInt64
    /// Number of outputs, also when nobody wants to know more of them.
    package var outputCount: UInt32
    /// The outputs in order, empty unless `Hello.wantsOutputs`.
    package var outputs: [FrameDescriptor]
    /// Files to commit.
    package var files: [StagedFile]
    /// What the frame was called where it was sealed: the controller refuses the result when it has accepted
    /// one of these before. Only of frames that went through or were filtered; since version 3.
    package var claims: [FrameClaim]
    /// CRC32C of the message's payload; nil when it has none, and in version 1.
    package var payloadChecksum: UInt32?

    /// What became of a frame.
    package init(
        outcome: FrameOutcome, uniqueId: UInt64, processingNanoseconds: UInt64 = 0,
        bytesIn: UInt64 = 0, bytesOut: UInt64 = 0, outputCount: UInt32 = 0,
        outputs: [FrameDescriptor] = [], files: [StagedFile] = [], claims: [FrameClaim] = [],
        payloadChecksum: UInt32? = nil
    ) {
        self.outcome = outcome
        self.uniqueId = uniqueId
        self.processingNanoseconds = processingNanoseconds
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.outputCount = outputCount
        self.outputs = outputs
        self.files = files
        self.claims = claims
        self.payloadChecksum = payloadChecksum
    }

    /// Bytes of the fields before the outcome's own, its code included.
    private static let fixedByteCount = 33

    /// Writes the body of a `result`.
    package func write(to writer: inout ByteWriter) {
        if let fault { writer.refuse(fault) }
        let block = MutableFieldBlock(Self.fixedByteCount, of: &writer)
        block.set(uniqueId, at: 0)
        block.set(processingNanoseconds, at: 8)
        block.set(bytesIn, at: 16)
        block.set(bytesOut, at: 24)
        block.set(claims.isEmpty ? outcome.code : FrameOutcome.claimingCode, at: 32)
        if !claims.isEmpty {
            writer.writeClaims(claims)
            writer.writeUInt8(outcome.code)
        }
        switch outcome {
        case .processed, .filtered: break
        case .failed(let processorIndex, let reason):
            writer.writeUInt32(processorIndex)
            writer.writeReason(reason)
        case .returned(let reason), .held(let reason):
            writer.writeReason(reason)
        }
        writer.writeUInt32(outputCount)
        writer.writeCount(outputs.count)
        for output in outputs { output.write(to: &writer) }
        writer.writeCount(
            files.count, maximum: ProtocolLimits.maximumOutputCount, field: "file count")
        for file in files { writer.writeStagedFile(file) }
        if let payloadChecksum { writer.writeUInt32(payloadChecksum) }
    }

    /// Reads the body of a `result`.
    package init(from reader: inout ByteReader) throws(WireError) {
        let block = try FieldBlock(Self.fixedByteCount, of: &reader)
        var code: UInt8 = block.value(at: 32)
        var claims: [FrameClaim] = []
        if code == FrameOutcome.claimingCode {
            claims = try reader.readClaims()
            code = try reader.readUInt8()
        }
        let outcome = try FrameOutcome(code: code, from: &reader)
        let outputCount = try reader.readUInt32()
        let described = try reader.readCount(
            elementByteCount: 30, maximum: ProtocolLimits.maximumOutputCount,
            field: "output count")
        var outputs: [FrameDescriptor] = []
        for _ in 0..<described { outputs.append(try FrameDescriptor(from: &reader)) }
        let fileCount = try reader.readCount(
            elementByteCount: 18, maximum: ProtocolLimits.maximumOutputCount, field: "file count")
        var files: [StagedFile] = []
        for _ in 0..<fileCount { files.append(try reader.readStagedFile()) }
        self.init(
            outcome: outcome, uniqueId: block.value(at: 0),
            processingNanoseconds: block.value(at: 8), bytesIn: block.value(at: 16),
            bytesOut: block.value(at: 24), outputCount: outputCount, outputs: outputs,
            files: files, claims: claims,
            payloadChecksum: reader.remainingByteCount >= 4 ? try reader.readUInt32() : nil)
        if let fault { throw reader.error(fault) }
        try reader.finish()
    }

    /// Numbers that sums of many results could not bear, more outputs than the limit, fewer or more
    /// descriptors than outputs, and outputs at places that no output can have.
    private var fault: WireError.Code? {
        if processingNanoseconds > ProtocolLimits.maximumProcessingNanoseconds {
            return .valueOutOfRange(
                field: "processing time", value: processingNanoseconds,
                maximum: ProtocolLimits.maximumProcessingNanoseconds)
        }
        let bytes = max(bytesIn, bytesOut)
        if bytes > ProtocolLimits.maximumOutputByteCount {
            return .valueOutOfRange(
                field: "bytes of a frame", value: bytes,
                maximum: ProtocolLimits.maximumOutputByteCount)
        }
        if outputCount > UInt32(ProtocolLimits.maximumOutputCount) {
            return .valueOutOfRange(
                field: "output count", value: UInt64(outputCount),
                maximum: UInt64(ProtocolLimits.maximumOutputCount))
        }
        if !claims.isEmpty, outcome != .processed, outcome != .filtered {
            return .unknownValue(
                field: "outcome of a frame with claims", value: UInt64(outcome.code))
        }
        if outputs.isEmpty { return nil }
        if outputs.count != Int(outputCount) {
            return .unknownValue(
                field: "number of described outputs", value: UInt64(outputs.count))
        }
        for output in outputs {
            if case .reference = output.location {
                return .unknownValue(field: "location of an output", value: 2)
            }
        }
        return nil
    }
}

extension FrameOutcome {
    /// Stands before claims; the outcome's own code follows them.
    fileprivate static let claimingCode: UInt8 = 5

    fileprivate var code: UInt8 {
        switch self {
        case .processed: 0
        case .filtered: 1
        case .failed: 2
        case .returned: 3
        case .held: 4
        }
    }

    fileprivate init(code: UInt8, from reader: inout ByteReader) throws(WireError) {
        switch code {
        case 0: self = .processed
        case 1: self = .filtered
        case 2:
            let processorIndex = try reader.readUInt32()
            self = .failed(processorIndex: processorIndex, reason: try reader.readLongText())
        case 3: self = .returned(reason: try reader.readLongText())
        case 4: self = .held(reason: try reader.readLongText())
        default: throw reader.error(.unknownValue(field: "outcome", value: UInt64(code)))
        }
    }
}

extension ByteWriter {
    fileprivate mutating func writeClaims(_ claims: [FrameClaim]) {
        writeCount(claims.count, maximum: ProtocolLimits.maximumClaimCount, field: "claim count")
        for claim in claims {
            check(
                claim.scope.utf8.count, maximum: FrameClaim.maximumScopeByteCount,
                field: "scope of a claim")
            writeText(claim.scope)
            writeUInt64(claim.key.frameId)
            writeUInt64(claim.key.branch)
            if !claim.key.isWellFormed {
                refuse(.unknownValue(field: "branch of a claim", value: claim.key.branch))
            }
        }
    }

    fileprivate mutating func writeStagedFile(_ file: StagedFile) {
        writeLongText(file.stagedPath)
        writeLongText(file.finalPath)
        check(
            file.byteCount, maximum: ProtocolLimits.maximumOutputByteCount, field: "file size")
        writeUInt64(file.byteCount)
        writeBool(file.checksum != nil)
        if let checksum = file.checksum { writeUInt32(checksum) }
        writeBool(file.mayReplace)
    }
}

extension ByteReader {
    fileprivate mutating func readClaims() throws(WireError) -> [FrameClaim] {
        let count = try readCount(
            elementByteCount: 20, maximum: ProtocolLimits.maximumClaimCount, field: "claim count")
        guard count > 0 else { throw error(.unknownValue(field: "claim count", value: 0)) }
        var claims: [FrameClaim] = []
        for _ in 0..<count {
            let scope = try readText(
                maximumByteCount: FrameClaim.maximumScopeByteCount, field: "scope of a claim")
            let key = FrameKey(frameId: try readUInt64(), branch: try readUInt64())
            guard key.isWellFormed else {
                throw error(.unknownValue(field: "branch of a claim", value: key.branch))
            }
            claims.append(FrameClaim(scope: scope, key: key))
        }
        return claims
    }

    fileprivate mutating func readStagedFile() throws(WireError) -> StagedFile {
        let stagedPath = try readLongText()
        let finalPath = try readLongText()
        let byteCount = try readUInt64()
        try check(byteCount, maximum: ProtocolLimits.maximumOutputByteCount, field: "file size")
        let checksum = try readBool() ? try readUInt32() : nil
        return StagedFile(
            stagedPath: stagedPath, finalPath: finalPath, byteCount: byteCount, checksum: checksum,
            mayReplace: try readBool())
    }
}

/// Not asked for: the frame of this request id is now being processed.
package struct Started: Sendable, Hashable {
    /// The dispatch: the request id of the `process` message.
    package var requestId: UInt64

    /// The news of a dispatch.
    package init(requestId: UInt64) { self.requestId = requestId }

    /// Writes the body of a `started`.
    package func write(to writer: inout ByteWriter) { writer.writeUInt64(requestId) }

    /// Reads the body of a `started`.
    package init(from reader: inout ByteReader) throws(WireError) {
        requestId = try reader.readUInt64()
        try reader.finish()
    }
}
