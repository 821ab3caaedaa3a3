import Processors
import WorkerRuntime

WorkerMain.run(
    processors: standardProcessors + [
        HotPixels.self, BrightFrames.self, BinByTwo.self, RowSums.self, SplitProcessor.self,
    ])
