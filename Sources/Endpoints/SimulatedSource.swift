public import ControllerRuntime
internal import NDArrays
internal import Synchronization

/// Simulated detector frames: the same for a seed at any rate, in any order, on any machine.
public final class SimulatedSource: FrameSource {
    private let painter: FramePainter
    private let pacer: Pacer?
    private let position = Mutex<UInt64>(0)
    /// What the frames are.
    public let simulation: Simulation

    /// A source of the frames of `simulation`.
    public init(_ simulation: Simulation) {
        self.simulation = simulation
        painter = FramePainter(simulation)
        // A live one goes by the clock alone: what is late comes as soon as it is taken.
        let maximumLag = simulation.isLive ? Double.infinity : Pacer.standardMaximumLag
        pacer = simulation.rate.map { Pacer(framesPerSecond: $0, maximumLag: maximumLag) }
    }

    /// Called `sim`, with as many frames as asked for; live when the simulation says so.
    public var information: SourceInformation {
        var information = SourceInformation(
            name: SourceKind.sim.name, frameCount: simulation.count,
            slotByteCount: simulation.layout.byteCount, isLive: simulation.isLive)
        information.fingerprint = simulation.fingerprint
        information.frameElementCount = simulation.layout.elementCount
        return information
    }

    /// The next frame, once it is due; its unique id is its position from 1.
    public func next() -> FrameAnnouncement? {
        let current = position.withLock { position -> UInt64? in
            if let count = simulation.count, position >= UInt64(count) { return nil }
            position += 1
            return position
        }
        guard let current, pacer?.wait() ?? true else { return nil }
        return FrameAnnouncement(
            .image(simulation.layout, byteCount: simulation.layout.byteCount), uniqueId: current,
            timeStamp: simulation.timeStamp(of: current), sourceName: SourceKind.sim.name)
    }

    /// Writes the pixels of the frame announced last.
    public func fill(_ destination: UnsafeMutableRawBufferPointer) {
        painter.paint(position.withLock { $0 }, into: destination)
    }

    /// Ends the wait for the next frame.
    public func cancel() { pacer?.cancel() }
}
