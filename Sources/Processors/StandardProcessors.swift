public import DataProcessing

/// The processors that come with Sluice, for worker executables to offer beside their own.
public let standardProcessors: [UserDataProcessor.Type] = [
    AdOutputFileProcessor.self, DarkCorrection.self, PassThrough.self, PixelStatistics.self,
    PixelSum.self,
]
