package import Wire

/// What became of a frame in a worker.
package enum FrameOutcome: Sendable, Hashable {
    /// It went through the whole chain.
    case processed
    /// A processor took it out on purpose.
    case filtered
    /// A processor refused it or could not read it: place in the chain, and why.
    case failed(processorIndex: UInt32, reason: String)
    /// The worker gave it back untouched: it could not apply the frame's configuration.
    case returned(reason: String)
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

    /// What became of a frame.
    package init(
        outcome: FrameOutcome, uniqueId: UInt64, processingNanoseconds: UInt64 = 0,
        bytesIn: UInt64 = 0, bytesOut: UInt64 = 0, outputCount: UInt32 = 0,
        outputs: [FrameDescriptor] = [], files: [StagedFile] = []
    ) {
        self.outcome = outcome
        self.uniqueId = uniqueId
        self.processingNanoseconds = processingNanoseconds
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.outputCount = outputCount
        self.outputs = outputs
        self.files = files
    }

    /// Writes the body of a `result`.
    package func write(to writer: inout ByteWriter) {
        writer.writeUInt64(uniqueId)
        writer.writeUInt64(processingNanoseconds)
        writer.writeUInt64(bytesIn)
        writer.writeUInt64(bytesOut)
        switch outcome {
        case .processed: writer.writeUInt8(0)
        case .filtered: writer.writeUInt8(1)
        case .failed(let processorIndex, let reason):
            writer.writeUInt8(2)
            writer.writeUInt32(processorIndex)
            writer.writeText(reason)
        case .returned(let reason):
            writer.writeUInt8(3)
            writer.writeText(reason)
        }
        writer.writeUInt32(outputCount)
        writer.writeCount(outputs.count)
        for output in outputs { output.write(to: &writer) }
        writer.writeCount(files.count)
        for file in files { writer.writeStagedFile(file) }
    }

    /// Reads the body of a `result`.
    package init(from reader: inout ByteReader) throws(WireError) {
        uniqueId = try reader.readUInt64()
        processingNanoseconds = try reader.readUInt64()
        bytesIn = try reader.readUInt64()
        bytesOut = try reader.readUInt64()
        let code = try reader.readUInt8()
        switch code {
        case 0: outcome = .processed
        case 1: outcome = .filtered
        case 2:
            let processorIndex = try reader.readUInt32()
            outcome = .failed(processorIndex: processorIndex, reason: try reader.readLongText())
        case 3: outcome = .returned(reason: try reader.readLongText())
        default: throw reader.error(.unknownValue(field: "outcome", value: UInt64(code)))
        }
        outputCount = try reader.readUInt32()
        guard outputCount <= UInt32(ProtocolLimits.maximumOutputCount) else {
            throw reader.error(
                .valueOutOfRange(
                    field: "output count", value: UInt64(outputCount),
                    maximum: UInt64(ProtocolLimits.maximumOutputCount)))
        }
        let described = try reader.readCount(
            elementByteCount: 30, maximum: Int(outputCount), field: "output count")
        outputs = []
        for _ in 0..<described { outputs.append(try FrameDescriptor(from: &reader)) }
        let fileCount = try reader.readCount(
            elementByteCount: 18, maximum: ProtocolLimits.maximumOutputCount, field: "file count")
        files = []
        for _ in 0..<fileCount { files.append(try reader.readStagedFile()) }
        try reader.finish()
    }
}

extension ByteWriter {
    fileprivate mutating func writeStagedFile(_ file: StagedFile) {
        writeText(file.stagedPath)
        writeText(file.finalPath)
        writeUInt64(file.byteCount)
        writeBool(file.checksum != nil)
        if let checksum = file.checksum { writeUInt32(checksum) }
        writeBool(file.mayReplace)
    }
}

extension ByteReader {
    fileprivate mutating func readStagedFile() throws(WireError) -> StagedFile {
        let stagedPath = try readLongText()
        let finalPath = try readLongText()
        let byteCount = try readUInt64()
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
