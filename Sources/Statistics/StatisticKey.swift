/// The framework's statistics of a processor, stage or run: the one place where their spelling on
/// the wire and in files stands, with unit and meaning. The order of the cases is that of reports.
public enum StatisticKey: String, Sendable, CaseIterable {
    case received = "nReceived"
    case processed = "nProcessed"
    case filtered = "nFiltered"
    case failed = "nFailed"
    /// The ancestor's key for `failed`.
    case errors = "nErrors"
    case missed = "nMissed"
    case outputs = "nOutputs"
    case queued = "nQueued"
    case bytesIn = "nBytesIn"
    case bytesOut = "nBytesOut"
    case lastFrameId = "lastFrameId"
    case runtime = "runtime"
    case processingTime = "processingTime"
    case processingTimeMean = "processingTimeMean"
    case processingTimeMinimum = "processingTimeMinimum"
    case processingTimeMaximum = "processingTimeMaximum"
    case processingTimeP50 = "processingTimeP50"
    case processingTimeP99 = "processingTimeP99"
    case processingTimeP999 = "processingTimeP999"
    case receivedRate = "receivedRate"
    case processedRate = "processedRate"
    case filteredRate = "filteredRate"
    case failedRate = "failedRate"
    /// The ancestor's key for `failedRate`.
    case errorRate = "errorRate"
    case missedRate = "missedRate"
    case outputRate = "outputRate"
    case dataInRate = "dataInRateMBps"
    case dataOutRate = "dataOutRateMBps"
    case intervalReceivedRate = "intervalReceivedRate"
    case intervalProcessedRate = "intervalProcessedRate"
    case intervalFilteredRate = "intervalFilteredRate"
    case intervalFailedRate = "intervalFailedRate"
    case intervalMissedRate = "intervalMissedRate"
    case intervalOutputRate = "intervalOutputRate"
    case intervalDataInRate = "intervalDataInRateMBps"
    case intervalDataOutRate = "intervalDataOutRateMBps"

    /// The unit of its values.
    public var unit: StatisticUnit {
        switch self {
        case .received, .processed, .filtered, .failed, .errors, .missed, .outputs, .queued:
            .count
        case .bytesIn, .bytesOut: .bytes
        case .lastFrameId: .none
        case .runtime, .processingTime, .processingTimeMean, .processingTimeMinimum,
            .processingTimeMaximum, .processingTimeP50, .processingTimeP99, .processingTimeP999:
            .seconds
        case .receivedRate, .processedRate, .filteredRate, .failedRate, .errorRate, .missedRate,
            .outputRate, .intervalReceivedRate, .intervalProcessedRate, .intervalFilteredRate,
            .intervalFailedRate, .intervalMissedRate, .intervalOutputRate:
            .perSecond
        case .dataInRate, .dataOutRate, .intervalDataInRate, .intervalDataOutRate:
            .megabytesPerSecond
        }
    }

    /// One sentence for people and for the reference.
    public var summary: String {
        switch self {
        case .received: "Frames handed to the processor."
        case .processed: "Frames it processed."
        case .filtered: "Frames it filtered: no output, on purpose."
        case .failed: "Frames for which it threw."
        case .errors: "The same as nFailed, under the ancestor's key."
        case .missed: "Frames missing from the sequence of ids."
        case .outputs: "Outputs it gave."
        case .queued: "Frames that wait for it now."
        case .bytesIn: "Payload bytes of the received frames."
        case .bytesOut: "Payload bytes of the outputs."
        case .lastFrameId: "The highest frame id seen; absent before the first."
        case .runtime: "Time since counting began, at the start or the last reset."
        case .processingTime: "Time spent in the processor, added over workers."
        case .processingTimeMean: "Mean time spent on a frame; absent before the first."
        case .processingTimeMinimum: "Shortest time spent on a frame; absent before the first."
        case .processingTimeMaximum: "Longest time spent on a frame; absent before the first."
        case .processingTimeP50: "Half of the frames took at most this, within 1.6 %."
        case .processingTimeP99: "99 % of the frames took at most this, within 1.6 %."
        case .processingTimeP999: "99.9 % of the frames took at most this, within 1.6 %."
        case .receivedRate: "nReceived over runtime."
        case .processedRate: "nProcessed over runtime."
        case .filteredRate: "nFiltered over runtime."
        case .failedRate: "nFailed over runtime."
        case .errorRate: "The same as failedRate, under the ancestor's key."
        case .missedRate: "nMissed over runtime."
        case .outputRate: "nOutputs over runtime."
        case .dataInRate: "nBytesIn over runtime, in 10⁶ bytes per second."
        case .dataOutRate: "nBytesOut over runtime, in 10⁶ bytes per second."
        case .intervalReceivedRate: "Growth of nReceived since the report before, per second."
        case .intervalProcessedRate: "Growth of nProcessed since the report before, per second."
        case .intervalFilteredRate: "Growth of nFiltered since the report before, per second."
        case .intervalFailedRate: "Growth of nFailed since the report before, per second."
        case .intervalMissedRate: "Growth of nMissed since the report before, per second."
        case .intervalOutputRate: "Growth of nOutputs since the report before, per second."
        case .intervalDataInRate: "Growth of nBytesIn since the report before, 10⁶ B per second."
        case .intervalDataOutRate: "Growth of nBytesOut since the report before, 10⁶ B per second."
        }
    }
}
