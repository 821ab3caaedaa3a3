/// One line of the flattened form.
public struct FlatStatistic: Sendable, Hashable {
    /// The key, with its prefix.
    public var key: String
    /// The value.
    public var value: StatisticValue
    /// The unit.
    public var unit: StatisticUnit

    /// One line of the flattened form.
    public init(key: String, value: StatisticValue, unit: StatisticUnit) {
        self.key = key
        self.value = value
        self.unit = unit
    }
}

/// The statistics of a processor, or of a stage or run as if it were one, with their rates.
public struct ProcessorReport: Sendable, Hashable {
    /// Counters, queue and own statistics.
    public var statistics: ProcessorStatistics
    /// Time since counting began, in nanoseconds.
    public var runtimeNanoseconds: UInt64
    /// Mean rates since counting began.
    public var ratesSinceReset: ProcessorRates
    /// Rates since the report before; those since counting began where there is none.
    public var intervalRates: ProcessorRates

    /// Statistics over a time, with the rates that follow; `interval` has the counters of the
    /// report before and the nanoseconds since, nil where there is none.
    public init(
        _ statistics: ProcessorStatistics, runtimeNanoseconds: UInt64,
        interval: (before: ProcessorCounters, nanoseconds: UInt64)? = nil
    ) {
        self.statistics = statistics
        self.runtimeNanoseconds = runtimeNanoseconds
        ratesSinceReset = ProcessorRates(
            statistics.counters, overNanoseconds: runtimeNanoseconds)
        intervalRates =
            interval.map {
                ProcessorRates(
                    from: $0.before, to: statistics.counters, overNanoseconds: $0.nanoseconds)
            } ?? ratesSinceReset
    }

    /// Keys, values and units: the framework's in the order of `StatisticKey`, then the processor's
    /// own. An own statistic under a framework's key takes its place. Keys get the prefix, as the
    /// ancestor's `getStats(prefix)` has it; what is not known is absent.
    public func flattened(prefix: String = "") -> [FlatStatistic] {
        let own = Set(statistics.userStatistics.map(\.declaration.key))
        let framework = StatisticKey.allCases.compactMap { key -> FlatStatistic? in
            guard !own.contains(key.rawValue), let value = value(of: key) else { return nil }
            return FlatStatistic(key: prefix + key.rawValue, value: value, unit: key.unit)
        }
        return framework
            + statistics.userStatistics.map {
                FlatStatistic(
                    key: prefix + $0.declaration.key, value: $0.value, unit: $0.declaration.unit)
            }
    }

    /// The value of one of the framework's statistics; nil where nothing is known.
    public func value(of key: StatisticKey) -> StatisticValue? {
        let counters = statistics.counters
        let durations = counters.durations
        let (mean, recent) = (ratesSinceReset, intervalRates)
        return switch key {
        case .received: .unsigned(counters.received)
        case .processed: .unsigned(counters.processed)
        case .filtered: .unsigned(counters.filtered)
        case .failed, .errors: .unsigned(counters.failed)
        case .missed: .unsigned(counters.missed)
        case .outputs: .unsigned(counters.outputs)
        case .queued: .unsigned(statistics.queueDepth)
        case .bytesIn: .unsigned(counters.bytesIn)
        case .bytesOut: .unsigned(counters.bytesOut)
        case .lastFrameId: counters.lastFrameId.map { .unsigned($0) }
        case .runtime: .real(Double(runtimeNanoseconds) / 1e9)
        case .processingTime: .real(Double(counters.processingNanoseconds) / 1e9)
        case .processingTimeMean: durations.count == 0 ? nil : .real(durations.mean / 1e9)
        case .processingTimeMinimum: seconds(durations.quantile(0))
        case .processingTimeMaximum: seconds(durations.quantile(1))
        case .processingTimeP50: seconds(durations.quantile(0.5))
        case .processingTimeP99: seconds(durations.quantile(0.99))
        case .processingTimeP999: seconds(durations.quantile(0.999))
        case .receivedRate: .real(mean.received)
        case .processedRate: .real(mean.processed)
        case .filteredRate: .real(mean.filtered)
        case .failedRate, .errorRate: .real(mean.failed)
        case .missedRate: .real(mean.missed)
        case .outputRate: .real(mean.outputs)
        case .dataInRate: .real(mean.bytesIn / 1e6)
        case .dataOutRate: .real(mean.bytesOut / 1e6)
        case .intervalReceivedRate: .real(recent.received)
        case .intervalProcessedRate: .real(recent.processed)
        case .intervalFilteredRate: .real(recent.filtered)
        case .intervalFailedRate: .real(recent.failed)
        case .intervalMissedRate: .real(recent.missed)
        case .intervalOutputRate: .real(recent.outputs)
        case .intervalDataInRate: .real(recent.bytesIn / 1e6)
        case .intervalDataOutRate: .real(recent.bytesOut / 1e6)
        }
    }

    private func seconds(_ nanoseconds: UInt64?) -> StatisticValue? {
        nanoseconds.map { .real(Double($0) / 1e9) }
    }
}
