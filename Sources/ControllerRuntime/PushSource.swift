internal import NDArrays
internal import Pipes
internal import Synchronization

/// A source that a program feeds.
final class PushSource: FrameSource {
    private struct Item: Sendable {
        var payload: Payload
        var uniqueId: UInt64?
    }

    private struct State {
        var items: [Item] = []
        var current: Item?
        var count: UInt64 = 0
        var hasEnded = false
    }

    let information: SourceInformation
    private let state = Mutex(State())
    private let flag: EventFlag

    /// A source of frames of at most `maximumFrameByteCount` bytes.
    init(maximumFrameByteCount: Int) throws(PipeError) {
        flag = try EventFlag()
        information = SourceInformation(
            name: "program", frameCount: nil, slotByteCount: maximumFrameByteCount, isLive: true)
    }

    /// Puts a frame at the end and returns its serial number from 1; nil after the end.
    func push(_ payload: Payload, uniqueId: UInt64?) -> UInt64? {
        let number: UInt64? = state.withLock { state in
            guard !state.hasEnded else { return nil }
            state.items.append(Item(payload: payload, uniqueId: uniqueId))
            state.count += 1
            return state.count
        }
        flag.signal()
        return number
    }

    /// No frames come after those that were put.
    func end() {
        state.withLock { $0.hasEnded = true }
        flag.signal()
    }

    func next() throws -> FrameAnnouncement? {
        while true {
            let (item, hasEnded) = state.withLock { state -> (Item?, Bool) in
                state.current = state.items.isEmpty ? nil : state.items.removeFirst()
                return (state.current, state.hasEnded)
            }
            if let item { return Self.announcement(of: item) }
            if hasEnded { return nil }
            _ = try flag.wait()
        }
    }

    private static func announcement(of item: Item) -> FrameAnnouncement {
        switch item.payload {
        case .image(let image):
            FrameAnnouncement(
                .image(image.layout, byteCount: image.byteCount), uniqueId: item.uniqueId,
                timeStamp: image.timeStamp, attributes: image.attributes)
        case .bytes(let bytes, let typeName):
            FrameAnnouncement(
                .bytes(byteCount: bytes.count, typeName: typeName), uniqueId: item.uniqueId)
        case .structure(let structure, let typeName):
            FrameAnnouncement(.structure(structure, typeName: typeName), uniqueId: item.uniqueId)
        }
    }

    func fill(_ destination: UnsafeMutableRawBufferPointer) throws {
        switch state.withLock({ $0.current?.payload }) {
        case .image(let image): image.withUnsafeBytes { destination.copyMemory(from: $0) }
        case .bytes(let bytes, _): bytes.withUnsafeBytes { destination.copyMemory(from: $0) }
        case .structure, nil: break
        }
    }

    func cancel() { end() }
}
