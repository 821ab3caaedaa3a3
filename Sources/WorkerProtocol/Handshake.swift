package import Wire

/// The version of the protocol that this code speaks; see `Docs/WireProtocol.md`.
package enum ProtocolVersion {
    /// The oldest that is still spoken. Each version only adds to the one before.
    package static let oldest: UInt16 = 1
    /// The newest: 2 adds the outcome `held`, the capability `syncedFiles`, and the phase `apply` of a
    /// change of configuration, and checksums of payloads; 3 adds claims
    /// and the place of a worker in its stage.
    package static let current: UInt16 = 3
    /// All that are spoken.
    package static let spoken = oldest...current
    /// The first with the outcome `held`.
    package static let firstWithHeld: UInt16 = 2
    /// The first with the phase `apply`.
    package static let firstWithApply: UInt16 = 2
    /// The first in which messages tell the checksum of their payload.
    package static let firstWithPayloadChecksum: UInt16 = 2
    /// The first version in which workers tell of a folder before they stage a file in it.
    package static let firstWithStaging: UInt16 = 2
    /// The first in which results carry claims.
    package static let firstWithClaims: UInt16 = 3
    /// The first in which a greeting tells the place in the stage.
    package static let firstWithPlaceInStage: UInt16 = 3
}

/// A pool of slots that a worker inherits as a descriptor.
package struct PoolDescription: Sendable, Hashable {
    /// The number by which frame locations name the pool.
    package var poolId: UInt16
    /// The inherited descriptor's number in the worker.
    package var descriptor: UInt32
    /// Whether the worker may write: its output pool; input pools are inherited read-only.
    package var isWritable: Bool
    /// Bytes from one slot to the next; a multiple of 4096.
    package var slotByteCount: UInt64
    /// Number of slots.
    package var slotCount: UInt32

    /// A pool of `slotCount` slots.
    package init(
        poolId: UInt16, descriptor: UInt32, isWritable: Bool, slotByteCount: UInt64,
        slotCount: UInt32
    ) {
        self.poolId = poolId
        self.descriptor = descriptor
        self.isWritable = isWritable
        self.slotByteCount = slotByteCount
        self.slotCount = slotCount
    }

    /// Bytes of all slots, which is what is mapped.
    package var byteCount: Int { Int(slotByteCount) * Int(slotCount) }

    /// Where in the pool the first `byteCount` bytes of `slot` lie; nil when there is no such slot
    /// or it has less room. Any numbers may be asked for.
    package func byteRange(slot: UInt32, byteCount: UInt64) -> Range<Int>? {
        guard slot < slotCount, byteCount <= slotByteCount else { return nil }
        let start = Int(slot) * Int(slotByteCount)
        return start..<start + Int(byteCount)
    }

    fileprivate var fault: WireError.Code? {
        let alignment = ProtocolLimits.slotAlignment
        let maximum = ProtocolLimits.maximumPoolByteCount
        if slotCount == 0 || slotByteCount == 0 || slotByteCount % alignment != 0 {
            return .unknownValue(field: "slot size (a multiple of 4096)", value: slotByteCount)
        }
        let (total, overflow) = slotByteCount.multipliedReportingOverflow(by: UInt64(slotCount))
        return overflow || total > maximum
            ? .valueOutOfRange(field: "pool size", value: total, maximum: maximum) : nil
    }
}

/// The first message to a worker.
package struct Hello: Sendable, Hashable {
    /// Number that stands for "no descriptor".
    package static let noDescriptor = UInt32.max

    /// The oldest and the newest version that the controller speaks.
    package var versions: ClosedRange<UInt16>
    /// What the controller offers.
    package var capabilities: Capabilities
    /// Process id of the controller, compared by the worker with its parent (0: do not compare).
    package var controllerProcessId: UInt32
    /// Name of the run, part of the names of staged files.
    package var runId: String
    /// Name of the stage.
    package var stageName: String
    /// Place of the worker in the run, from 0.
    package var workerId: UInt32
    /// How many workers had this place before.
    package var incarnation: UInt32
    /// Whether somebody takes the outputs: if not, results carry only their number.
    package var wantsOutputs: Bool
    /// Names of what the stage takes frames from and gives them to, for `inputChannel` and
    /// `outputChannel`.
    package var inputChannel: String
    package var outputChannel: String
    /// Lowest level of log lines on standard error: `trace` … `critical`.
    package var logLevel: String
    /// Descriptor of the status page, `noDescriptor` when there is none.
    package var statusDescriptor: UInt32
    /// The pools; the one that is writable is for outputs.
    package var pools: [PoolDescription]
    /// Place of the worker among those of its stage, from 0. Since version 3: a controller that does not speak
    /// it tells the place in the run alone.
    package var placeInStage: UInt32

    /// A greeting with these facts.
    package init(
        versions: ClosedRange<UInt16> = ProtocolVersion.spoken,
        capabilities: Capabilities = [], controllerProcessId: UInt32 = 0, runId: String = "",
        stageName: String = "", workerId: UInt32 = 0, incarnation: UInt32 = 0,
        wantsOutputs: Bool = false, inputChannel: String = "", outputChannel: String = "",
        logLevel: String = "info", statusDescriptor: UInt32 = noDescriptor,
        pools: [PoolDescription] = [], placeInStage: UInt32? = nil
    ) {
        self.versions = versions
        self.capabilities = capabilities
        self.controllerProcessId = controllerProcessId
        self.runId = runId
        self.stageName = stageName
        self.workerId = workerId
        self.incarnation = incarnation
        self.wantsOutputs = wantsOutputs
        self.inputChannel = inputChannel
        self.outputChannel = outputChannel
        self.logLevel = logLevel
        self.statusDescriptor = statusDescriptor
        self.pools = pools
        self.placeInStage = placeInStage ?? workerId
    }

    /// Writes the body of a `hello`.
    package func write(to writer: inout ByteWriter) {
        writer.writeUInt16(versions.lowerBound)
        writer.writeUInt16(versions.upperBound)
        writer.writeUInt64(capabilities.rawValue)
        writer.writeUInt32(controllerProcessId)
        writer.writeName(runId)
        writer.writeName(stageName)
        writer.writeUInt32(workerId)
        writer.writeUInt32(incarnation)
        writer.writeBool(wantsOutputs)
        writer.writeLongText(inputChannel)
        writer.writeLongText(outputChannel)
        writer.writeName(logLevel)
        writer.writeUInt32(statusDescriptor)
        writer.writeCount(
            pools.count, maximum: ProtocolLimits.maximumPoolCount, field: "pool count")
        for pool in pools {
            writer.writeUInt16(pool.poolId)
            writer.writeUInt32(pool.descriptor)
            writer.writeBool(pool.isWritable)
            writer.writeUInt64(pool.slotByteCount)
            writer.writeUInt32(pool.slotCount)
        }
        if versions.upperBound >= ProtocolVersion.firstWithPlaceInStage {
            writer.writeUInt32(placeInStage)
        }
        if let fault { writer.refuse(fault) }
    }

    /// Reads the body of a `hello`. Bytes behind the last field are those of a newer version's
    /// fields and are left alone, so that two versions can agree on one.
    package init(from reader: inout ByteReader) throws(WireError) {
        let lowest = try reader.readUInt16()
        let highest = try reader.readUInt16()
        guard lowest <= highest else {
            throw reader.error(
                .valueOutOfRange(field: "version", value: UInt64(lowest), maximum: UInt64(highest)))
        }
        versions = lowest...highest
        capabilities = Capabilities(rawValue: try reader.readUInt64())
        controllerProcessId = try reader.readUInt32()
        runId = try reader.readName()
        stageName = try reader.readName()
        workerId = try reader.readUInt32()
        incarnation = try reader.readUInt32()
        wantsOutputs = try reader.readBool()
        inputChannel = try reader.readLongText()
        outputChannel = try reader.readLongText()
        logLevel = try reader.readName()
        statusDescriptor = try reader.readUInt32()
        pools = []
        let count = try reader.readCount(
            elementByteCount: 19, maximum: ProtocolLimits.maximumPoolCount, field: "pool count")
        for _ in 0..<count {
            pools.append(
                PoolDescription(
                    poolId: try reader.readUInt16(), descriptor: try reader.readUInt32(),
                    isWritable: try reader.readBool(), slotByteCount: try reader.readUInt64(),
                    slotCount: try reader.readUInt32()))
        }
        let tellsPlace = highest >= ProtocolVersion.firstWithPlaceInStage
        placeInStage = tellsPlace ? try reader.readUInt32() : workerId
        if let fault { throw reader.error(fault) }
    }

    /// What no worker could work with: descriptors that are no numbers of descriptors, pools
    /// without room or beyond the limits, a pool number that comes twice, two writable pools.
    private var fault: WireError.Code? {
        let largest = UInt64(Int32.max)
        if statusDescriptor != Self.noDescriptor, statusDescriptor > largest {
            return .valueOutOfRange(
                field: "descriptor", value: UInt64(statusDescriptor), maximum: largest)
        }
        for (position, pool) in pools.enumerated() {
            if pool.descriptor > largest {
                return .valueOutOfRange(
                    field: "descriptor", value: UInt64(pool.descriptor), maximum: largest)
            }
            let others = pools[..<position]
            if others.contains(where: { $0.poolId == pool.poolId }) {
                return .unknownValue(
                    field: "pool number (it comes twice)", value: UInt64(pool.poolId))
            }
            if pool.isWritable, others.contains(where: \.isWritable) {
                return .unknownValue(
                    field: "writable pool (there is one already)", value: UInt64(pool.poolId))
            }
            if let fault = pool.fault { return fault }
        }
        return nil
    }
}

/// The worker's answer to `hello`.
package struct Welcome: Sendable, Hashable {
    /// The version both speak from now on, 0 when there is none in common.
    package var version: UInt16
    /// What the worker will use of what was offered.
    package var capabilities: Capabilities
    /// The worker's process id, as it sees itself.
    package var processId: UInt32
    /// What it is, for people and the journal: `sluice-worker 0.1 (Swift)`.
    package var software: String

    /// An answer with these facts.
    package init(version: UInt16, capabilities: Capabilities, processId: UInt32, software: String) {
        self.version = version
        self.capabilities = capabilities
        self.processId = processId
        self.software = software
    }

    /// Writes the body of a `welcome`.
    package func write(to writer: inout ByteWriter) {
        writer.writeUInt16(version)
        writer.writeUInt64(capabilities.rawValue)
        writer.writeUInt32(processId)
        writer.writeName(software)
    }

    /// Reads the body of a `welcome`; as for `hello`, newer fields may follow.
    package init(from reader: inout ByteReader) throws(WireError) {
        version = try reader.readUInt16()
        capabilities = Capabilities(rawValue: try reader.readUInt64())
        processId = try reader.readUInt32()
        software = try reader.readName()
    }
}
