package import Statistics
package import Wire

extension WorkerSnapshot {
    /// Writes the body of a `statistics` message.
    package func write(to writer: inout ByteWriter) {
        writer.writeUInt32(UInt32(clamping: workerId))
        writer.writeUInt32(UInt32(clamping: incarnation))
        writer.writeUInt64(timestampNanoseconds)
        writer.writeUInt64(resetNanoseconds)
        writer.writeCount(
            processors.count, maximum: ProtocolLimits.maximumProcessorCount,
            field: "processor count")
        for processor in processors { writer.writeProcessor(processor) }
    }

    /// Reads the body of a `statistics` message.
    package init(from reader: inout ByteReader) throws(WireError) {
        let workerId = try reader.readUInt32()
        let incarnation = try reader.readUInt32()
        self.init(
            workerId: Int(workerId), incarnation: Int(incarnation),
            timestampNanoseconds: try reader.readUInt64(),
            resetNanoseconds: try reader.readUInt64(), processors: [])
        let count = try reader.readCount(
            elementByteCount: 121, maximum: ProtocolLimits.maximumProcessorCount,
            field: "processor count")
        for _ in 0..<count { processors.append(try reader.readProcessor()) }
        try reader.finish()
    }
}

extension ByteWriter {
    fileprivate mutating func writeProcessor(_ processor: ProcessorStatistics) {
        writeName(processor.processorName)
        writeUInt32(UInt32(clamping: processor.processorId))
        writeUInt64(processor.queueDepth)
        let counters = processor.counters
        for value in [
            counters.received, counters.processed, counters.filtered, counters.failed,
            counters.missed, counters.outputs, counters.bytesIn, counters.bytesOut,
            counters.processingNanoseconds,
        ] { writeUInt64(value) }
        writeBool(counters.lastFrameId != nil)
        if let id = counters.lastFrameId { writeUInt64(id) }
        writeHistogram(counters.durations)
        writeCount(
            processor.userStatistics.count, maximum: ProtocolLimits.maximumStatisticCount,
            field: "statistic count")
        for statistic in processor.userStatistics { writeStatistic(statistic) }
    }

    private mutating func writeHistogram(_ histogram: DurationHistogram) {
        writeUInt64(histogram.minimum)
        writeUInt64(histogram.maximum)
        writeUInt64(histogram.sum)
        let buckets = histogram.buckets
        writeCount(buckets.count)
        for bucket in buckets {
            writeUInt32(UInt32(clamping: bucket.index))
            writeUInt64(bucket.count)
        }
    }

    private mutating func writeStatistic(_ statistic: Statistic) {
        let declaration = statistic.declaration
        writeName(declaration.key)
        writeName(declaration.unit.rawValue)
        writeUInt8(declaration.aggregation.rawValue)
        writeBool(declaration.isCounter)
        writeLongText(declaration.description)
        writeUInt8(statistic.value.kind.rawValue)
        switch statistic.value {
        case .unsigned(let value): writeUInt64(value)
        case .signed(let value): writeInt64(value)
        case .real(let value): writeDouble(value)
        case .text(let value): writeLongText(value)
        case .boolean(let value): writeBool(value)
        }
    }
}

extension ByteReader {
    fileprivate mutating func readProcessor() throws(WireError) -> ProcessorStatistics {
        let name = try readName()
        let id = try readUInt32()
        let queueDepth = try readUInt64()
        var counters = ProcessorCounters()
        counters.received = try readUInt64()
        counters.processed = try readUInt64()
        counters.filtered = try readUInt64()
        counters.failed = try readUInt64()
        counters.missed = try readUInt64()
        counters.outputs = try readUInt64()
        counters.bytesIn = try readUInt64()
        counters.bytesOut = try readUInt64()
        counters.processingNanoseconds = try readUInt64()
        counters.lastFrameId = try readBool() ? try readUInt64() : nil
        counters.durations = try readHistogram()
        var statistics: [Statistic] = []
        let count = try readCount(
            elementByteCount: 16, maximum: ProtocolLimits.maximumStatisticCount,
            field: "statistic count")
        for _ in 0..<count { statistics.append(try readStatistic()) }
        return ProcessorStatistics(
            processorName: name, processorId: Int(id), counters: counters, queueDepth: queueDepth,
            userStatistics: statistics)
    }

    private mutating func readHistogram() throws(WireError) -> DurationHistogram {
        let minimum = try readUInt64()
        let maximum = try readUInt64()
        let sum = try readUInt64()
        let count = try readCount(
            elementByteCount: 12, maximum: DurationHistogram.bucketCount, field: "bucket count")
        var buckets: [DurationBucket] = []
        buckets.reserveCapacity(count)
        for _ in 0..<count {
            let index = try readUInt32()
            buckets.append(DurationBucket(index: Int(index), count: try readUInt64()))
        }
        do throws(StatisticsError) {
            return try DurationHistogram(
                buckets: buckets, minimum: minimum, maximum: maximum, sum: sum)
        } catch {
            throw self.error(.unknownValue(field: "duration histogram", value: UInt64(count)))
        }
    }

    private mutating func readStatistic() throws(WireError) -> Statistic {
        let key = try readName()
        let unit = try readName()
        let aggregationCode = try readUInt8()
        guard let aggregation = Aggregation(rawValue: aggregationCode) else {
            throw error(.unknownValue(field: "aggregation", value: UInt64(aggregationCode)))
        }
        let isCounter = try readBool()
        let description = try readLongText()
        let kindCode = try readUInt8()
        guard let kind = StatisticKind(rawValue: kindCode) else {
            throw error(.unknownValue(field: "statistic kind", value: UInt64(kindCode)))
        }
        let value: StatisticValue =
            switch kind {
            case .unsigned: .unsigned(try readUInt64())
            case .signed: .signed(try readInt64())
            case .real: .real(try readDouble())
            case .text: .text(try readLongText())
            case .boolean: .boolean(try readBool())
            }
        return Statistic(
            StatisticDeclaration(
                key: key, kind: kind, unit: StatisticUnit(rawValue: unit), aggregation: aggregation,
                isCounter: isCounter, description: description), value)
    }
}
