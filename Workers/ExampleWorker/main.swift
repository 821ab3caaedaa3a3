import Processors
import WorkerRuntime

WorkerMain.run(processors: standardProcessors + [SplitProcessor.self])
