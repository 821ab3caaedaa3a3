package import Statistics

extension StatisticKey {
    /// Whether it only grows while counting goes on.
    package var isCounter: Bool {
        switch self {
        case .received, .processed, .filtered, .failed, .errors, .missed, .outputs, .bytesIn,
            .bytesOut, .processingTime:
            true
        case .queued, .lastFrameId, .runtime, .processingTimeMean, .processingTimeMinimum,
            .processingTimeMaximum, .processingTimeP50, .processingTimeP99, .processingTimeP999,
            .receivedRate, .processedRate, .filteredRate, .failedRate, .errorRate, .missedRate,
            .outputRate, .dataInRate, .dataOutRate, .intervalReceivedRate, .intervalProcessedRate,
            .intervalFilteredRate, .intervalFailedRate, .intervalMissedRate, .intervalOutputRate,
            .intervalDataInRate, .intervalDataOutRate:
            false
        }
    }

    /// Whether it follows from the others: rates, what the distribution says, and second names.
    package var isDerived: Bool {
        switch self {
        case .received, .processed, .filtered, .failed, .missed, .outputs, .bytesIn, .bytesOut,
            .processingTime, .queued, .lastFrameId, .runtime:
            false
        case .errors, .processingTimeMean, .processingTimeMinimum, .processingTimeMaximum,
            .processingTimeP50, .processingTimeP99, .processingTimeP999, .receivedRate,
            .processedRate, .filteredRate, .failedRate, .errorRate, .missedRate, .outputRate,
            .dataInRate, .dataOutRate, .intervalReceivedRate, .intervalProcessedRate,
            .intervalFilteredRate, .intervalFailedRate, .intervalMissedRate, .intervalOutputRate,
            .intervalDataInRate, .intervalDataOutRate:
            true
        }
    }
}
