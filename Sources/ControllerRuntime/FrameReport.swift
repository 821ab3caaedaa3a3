public import NDArrays
internal import WorkerProtocol

/// What became of a frame in the last stage, for programs that embed the controller.
public struct FrameReport: Sendable {
    /// The ways in which a frame ends.
    public enum Outcome: String, Sendable, Hashable {
        case processed, filtered, failed, quarantined, dropped
    }

    /// The key of the frame: its serial in the run, and which output of which frame it was.
    public var key: FrameKey
    /// The source's own id.
    public var uniqueId: UInt64
    /// Name of the stage.
    public var stage: String
    /// What became of it.
    public var outcome: Outcome
    /// Why, unless it was processed or filtered.
    public var reason: String
    /// What came out of it.
    public var outputs: [OutputFrame]
}

/// A frame that came out of the last stage, copied out of its slot.
public struct OutputFrame: Sendable {
    /// The id that the processor gave it.
    public var uniqueId: UInt64
    /// When it was taken.
    public var timeStamp: TimeStamp
    /// Image (with attributes), bytes or structure.
    public var payload: Payload
    /// Attributes of the frame, also when it is no image.
    public var attributes: NDAttributes
}

extension OutputBytes {
    /// The frame with its own copy of the bytes.
    func outputFrame() -> OutputFrame {
        let payload: Payload
        switch frame.payload {
        case .structure(let structure, let typeName):
            payload = .structure(structure, typeName: typeName)
        case .image(let layout?):
            var image = NDArray(
                layout: layout, byteCount: bytes.count, uniqueId: frame.uniqueId,
                timeStamp: frame.timeStamp, attributes: frame.attributes)
            image.withUnsafeMutableBytes { $0.copyMemory(from: bytes) }
            payload = .image(image)
        case .image(nil): payload = .bytes(Array(bytes), typeName: "")
        case .bytes(let typeName): payload = .bytes(Array(bytes), typeName: typeName)
        }
        return OutputFrame(
            uniqueId: frame.uniqueId, timeStamp: frame.timeStamp, payload: payload,
            attributes: frame.attributes)
    }
}
