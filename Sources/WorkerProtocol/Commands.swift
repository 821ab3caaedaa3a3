package import NDArrays
package import Wire

/// One processor of a chain with its settings.
package struct ProcessorSpecification: Sendable, Hashable {
    /// Class name.
    package var name: String
    /// Settings as the user gave them; texts are parsed by the worker, by the setting's kind.
    package var settings: Structure

    /// A processor with its settings.
    package init(name: String, settings: Structure = Structure()) {
        self.name = name
        self.settings = settings
    }
}

/// Make a chain of processors with version `configurationVersion` of their configuration and start
/// it.
package struct StartCommand: Sendable, Hashable {
    /// The version that the settings are; frames are stamped with versions.
    package var configurationVersion: UInt64
    /// The chain in order.
    package var processors: [ProcessorSpecification]

    /// A chain to start.
    package init(configurationVersion: UInt64, processors: [ProcessorSpecification]) {
        self.configurationVersion = configurationVersion
        self.processors = processors
    }

    /// Writes the body of a `start`.
    package func write(to writer: inout ByteWriter) {
        writer.writeUInt64(configurationVersion)
        writer.writeCount(
            processors.count, maximum: ProtocolLimits.maximumProcessorCount,
            field: "processor count")
        for processor in processors {
            writer.writeName(processor.name)
            writer.writeStructure(processor.settings)
        }
    }

    /// Reads the body of a `start`.
    package init(from reader: inout ByteReader) throws(WireError) {
        configurationVersion = try reader.readUInt64()
        let count = try reader.readCount(
            elementByteCount: 8, maximum: ProtocolLimits.maximumProcessorCount,
            field: "processor count")
        processors = []
        for _ in 0..<count {
            let name = try reader.readName()
            processors.append(
                ProcessorSpecification(name: name, settings: try reader.readStructure()))
        }
        try reader.finish()
    }
}

/// One step of a change of configuration.
package struct ConfigureCommand: Sendable, Hashable {
    /// The step.
    package enum Phase: UInt8, Sendable {
        /// Validate the change and keep it under its version.
        case prepare = 0
        /// Forget the prepared version: somebody refused it.
        case abandon = 1
        /// Bring the processors to the version now; answered when they have it, or by why not.
        case apply = 2
    }

    /// The version that the change makes.
    package var version: UInt64
    /// The version that it changes.
    package var baseVersion: UInt64
    /// The step.
    package var phase: Phase
    /// Place of the processor in the chain, from 0.
    package var processorIndex: UInt32
    /// The settings that change.
    package var changes: Structure

    /// A step of the change to `version`.
    package init(
        version: UInt64, baseVersion: UInt64, phase: Phase, processorIndex: UInt32,
        changes: Structure = Structure()
    ) {
        self.version = version
        self.baseVersion = baseVersion
        self.phase = phase
        self.processorIndex = processorIndex
        self.changes = changes
    }

    /// Writes the body of a `configure`.
    package func write(to writer: inout ByteWriter) {
        writer.writeUInt64(version)
        writer.writeUInt64(baseVersion)
        writer.writeUInt8(phase.rawValue)
        writer.writeUInt32(processorIndex)
        writer.writeStructure(changes)
    }

    /// Reads the body of a `configure`.
    package init(from reader: inout ByteReader) throws(WireError) {
        version = try reader.readUInt64()
        baseVersion = try reader.readUInt64()
        let code = try reader.readUInt8()
        guard let phase = Phase(rawValue: code) else {
            throw reader.error(.unknownValue(field: "configure phase", value: UInt64(code)))
        }
        self.phase = phase
        processorIndex = try reader.readUInt32()
        changes = try reader.readStructure()
        try reader.finish()
    }
}

/// Process one frame. The request id of the message names the dispatch and comes back with the
/// result.
package struct ProcessCommand: Sendable, Hashable {
    /// Which frame of the run.
    package var key: FrameKey
    /// The configuration that it must see.
    package var configurationVersion: UInt64
    /// How often it was given to a worker before, 0 the first time.
    package var attempt: UInt32
    /// Slots of the stage's output pool that the worker may fill for this frame.
    package var leasedSlots: [UInt32]
    /// The frame.
    package var frame: FrameDescriptor
    /// CRC32C of the message's payload; nil when it has none, and in version 1.
    package var payloadChecksum: UInt32?

    /// A frame to process.
    package init(
        key: FrameKey, configurationVersion: UInt64, attempt: UInt32 = 0,
        leasedSlots: [UInt32] = [],
        frame: FrameDescriptor, payloadChecksum: UInt32? = nil
    ) {
        self.key = key
        self.configurationVersion = configurationVersion
        self.attempt = attempt
        self.leasedSlots = leasedSlots
        self.frame = frame
        self.payloadChecksum = payloadChecksum
    }

    /// Bytes of the fields before the leased slots, their number included.
    private static let fixedByteCount = 32

    /// Writes the body of a `process`.
    package func write(to writer: inout ByteWriter) {
        if let fault { writer.refuse(fault) }
        writer.check(
            leasedSlots.count, maximum: ProtocolLimits.maximumOutputCount, field: "lease count")
        let count = leasedSlots.count
        let block = MutableFieldBlock(Self.fixedByteCount + 4 * count, of: &writer)
        block.set(key.frameId, at: 0)
        block.set(key.branch, at: 8)
        block.set(configurationVersion, at: 16)
        block.set(attempt, at: 24)
        block.set(UInt32(clamping: count), at: 28)
        for index in 0..<count {
            block.set(leasedSlots[index], at: Self.fixedByteCount + 4 * index)
        }
        frame.write(to: &writer)
        if let payloadChecksum { writer.writeUInt32(payloadChecksum) }
    }

    /// Reads the body of a `process`.
    package init(from reader: inout ByteReader) throws(WireError) {
        self.init(
            key: FrameKey(frameId: 0), configurationVersion: 0,
            frame: FrameDescriptor(
                uniqueId: 0, payload: .bytes(typeName: ""),
                location: .inline(byteOffset: 0, byteCount: 0)))
        try read(from: &reader)
    }

    /// Reads the body of another `process` over this one and keeps its memory, so that a worker
    /// allocates nothing for a frame without attributes. When it throws, this is anything.
    package mutating func read(from reader: inout ByteReader) throws(WireError) {
        let block = try FieldBlock(Self.fixedByteCount - 4, of: &reader)
        let count = try reader.readCount(
            elementByteCount: 4, maximum: ProtocolLimits.maximumOutputCount, field: "lease count")
        if !leasedSlots.isEmpty { leasedSlots.removeAll(keepingCapacity: true) }
        if count > 0 {
            let slots = try FieldBlock(4 * count, of: &reader)
            for index in 0..<count { leasedSlots.append(slots.value(at: 4 * index)) }
        }
        key = FrameKey(frameId: block.value(at: 0), branch: block.value(at: 8))
        configurationVersion = block.value(at: 16)
        attempt = block.value(at: 24)
        frame = try FrameDescriptor(from: &reader)
        if let fault { throw reader.error(fault) }
        payloadChecksum = reader.remainingByteCount >= 4 ? try reader.readUInt32() : nil
        try reader.finish()
    }

    /// A key that no frame has, or a location that only outputs have.
    private var fault: WireError.Code? {
        if key.branch != 0, !key.isWellFormed {
            return .unknownValue(field: "branch of a frame key", value: key.branch)
        }
        if case .sameAsInput = frame.location {
            return .unknownValue(field: "location of an input", value: 3)
        }
        return nil
    }
}
