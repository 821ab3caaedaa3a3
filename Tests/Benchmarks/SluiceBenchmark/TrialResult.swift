import FoundationEssentials

/// One trial as a line of JSON, in the words of floor.c; nil: was not measured.
struct TrialResult: Encodable {
    var framesPerSecond: Double?
    var bytesPerSecond: Double?
    var frames: UInt64?
    var elapsedSeconds: Double?
    /// CPU seconds of each kind of process for a frame.
    var cpuSecondsPerFrame: [String: Double]?
    /// CPU seconds of each thread of the controller for a frame.
    var threadSecondsPerFrame: [String: Double]?
    /// How often a thread of each kind of process had to wait for a frame.
    var switchesPerFrame: [String: Double]?
    /// With one frame in flight.
    var latencySeconds: [String: Double]?
    /// Anonymous memory and swap of each kind of process, the most that was seen.
    var privateBytes: [String: Int]?
    /// Shared memory that was touched.
    var poolBytes: Int?
    /// Both together.
    var peakResidentBytes: Int?
    /// From `run` to the first result, of an idle `statistics()`, and from `stop` to the last process gone.
    var startSeconds: Double?
    var getStatsSeconds: Double?
    var stopSeconds: Double?
    /// Calls of backends, where events are sent through a router.
    var deliveries: UInt64?
    /// CPU seconds of all processes for one gathering of statistics, of an idle run.
    var gatheringCpuSeconds: Double?

    /// Frames over a time.
    mutating func setRate(frames: UInt64, nanoseconds: UInt64, byteCount: Int) {
        let seconds = Double(nanoseconds) * 1e-9
        self.frames = frames
        elapsedSeconds = seconds
        framesPerSecond = seconds > 0 ? Double(frames) / seconds : 0
        bytesPerSecond = (framesPerSecond ?? 0) * Double(byteCount)
    }

    /// The difference of two readings, for each of `frames`.
    mutating func setUsage(
        from before: ProcessMeter.Reading, to after: ProcessMeter.Reading, frames: UInt64
    ) {
        let count = Double(max(frames, 1))
        cpuSecondsPerFrame = [
            "controller": (after.controller.cpuSeconds - before.controller.cpuSeconds) / count,
            "workers": (after.workers.cpuSeconds - before.workers.cpuSeconds) / count,
        ]
        switchesPerFrame = [
            "controller": (after.controller.switches - before.controller.switches) / count,
            "workers": (after.workers.switches - before.workers.switches) / count,
        ]
        threadSecondsPerFrame = after.threads.reduce(into: [:]) { result, thread in
            result[thread.key] = (thread.value - (before.threads[thread.key] ?? 0)) / count
        }
    }

    /// The most memory that was seen.
    mutating func setMemory(_ memory: ProcessMeter.Memory) {
        privateBytes = ["controller": memory.controller, "workers": memory.workers]
        poolBytes = memory.pool
        peakResidentBytes = memory.controller + memory.workers + memory.pool
    }

    /// The line.
    func line() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
