import Glibc

/// What kind of thing a frame carries.
public enum PayloadKind: UInt8, Sendable, Hashable, CaseIterable {
    /// A detector image.
    case image = 0
    /// Encrypted or foreign data with the name of its type.
    case bytes = 1
    /// Named values.
    case structure = 2

    /// The word for people: `an image`, `bytes`, `a structure`.
    public var name: String {
        switch self {
        case .image: "an image"
        case .bytes: "bytes"
        case .structure: "a structure"
        }
    }
}

/// What a frame carries, without the bytes.
package enum FrameContent: Sendable, Hashable {
    case image(ArrayLayout)
    case bytes(typeName: String)
    case structure(Structure, typeName: String)

    /// The kind of payload.
    package var kind: PayloadKind {
        switch self {
        case .image: .image
        case .bytes: .bytes
        case .structure: .structure
        }
    }
}

/// One frame on its way through the processors of a worker.
///
/// A frame is valid from the call of `process` that receives it (or the `makeFrame` that makes it)
/// to the end of that call; using it later is an error of the program and stops the worker with a
/// message. The pixels of a frame that no processor has changed lie in memory that is shared and
/// read-only: the first change copies them, later ones are made in place.
public final class Frame {
    /// The source frame, and which output of it this is.
    public private(set) var key = FrameKey(frameId: 0)
    /// The source's own id (areaDetector's unique id), or the 1-based position in the source.
    public var uniqueId: UInt64 = 0
    /// When the frame was taken; zero when the source does not say.
    public var timeStamp = TimeStamp()
    /// The attributes that travel with the frame.
    public var attributes = NDAttributes()
    /// The file or channel that the frame came from; empty when there is none.
    public private(set) var sourceName = ""

    /// Layout or type of the payload.
    package private(set) var content = FrameContent.structure(Structure(), typeName: "")
    /// The memory of the payload, nil for a structure.
    package private(set) var region: FrameRegion?
    /// Bytes of the payload in the region.
    public private(set) var byteCount = 0
    /// How many workers ended while they processed it. Not for processors, whose outputs must not depend
    /// on it.
    package var attempt: UInt32 = 0
    /// Whether a processor may use it now.
    package private(set) var isOpen = false
    private var memory: (any FrameMemory)?

    /// A closed frame, to be filled by `reset`.
    package init() {}

    /// Serial of the source frame in the run.
    public var frameId: UInt64 { key.frameId }

    /// 0 for a frame of the source; otherwise the path of outputs that led here (`FrameKey`).
    public var branch: UInt64 { key.branch }

    /// Which output of its parent the frame is; 0 also for a frame of the source.
    public var outputIndex: Int { key.outputIndex ?? 0 }

    /// Image, bytes or structure.
    public var payloadKind: PayloadKind { content.kind }

    /// Element type, dimensions, colour mode and codec of the image.
    ///
    /// - Throws: `NDArrayError.notAnImage` for other payloads.
    public var layout: ArrayLayout {
        get throws(NDArrayError) {
            guard case .image(let layout) = content else {
                throw .notAnImage(had: payloadKind.name)
            }
            return layout
        }
    }

    /// Type name of a bytes or structure payload; empty for an image.
    public var typeName: String {
        switch content {
        case .image: ""
        case .bytes(let typeName), .structure(_, let typeName): typeName
        }
    }

    /// The named values of a structure payload, nil for other payloads.
    public var structure: Structure? {
        guard case .structure(let structure, _) = content else { return nil }
        return structure
    }
}

// MARK: - The seam for the runtime

extension Frame {
    /// Makes this the frame that came in: `region` holds `byteCount` bytes of payload, and changes
    /// are made in regions from `memory`. What the frame held before is given back.
    package func reset(
        key: FrameKey, uniqueId: UInt64, timeStamp: TimeStamp = TimeStamp(),
        attributes: NDAttributes = NDAttributes(), sourceName: String = "",
        content: FrameContent, region: FrameRegion?, byteCount: Int, memory: any FrameMemory
    ) {
        precondition(
            (region?.byteCount ?? 0) >= byteCount, "the region is smaller than its frame")
        if self.region != nil { releaseRegion() }
        self.key = key
        self.uniqueId = uniqueId
        self.timeStamp = timeStamp
        self.attributes = attributes
        self.sourceName = sourceName
        self.content = content
        self.region = region
        self.byteCount = byteCount
        self.memory = memory
        isOpen = true
    }

    /// Makes this a new frame with the identity and attributes of `other`, and no payload yet.
    func reset(like other: Frame, memory: any FrameMemory) {
        reset(
            key: other.key, uniqueId: other.uniqueId, timeStamp: other.timeStamp,
            attributes: other.attributes, sourceName: other.sourceName,
            content: .structure(Structure(), typeName: ""), region: nil, byteCount: 0,
            memory: memory)
    }

    /// From now on using the frame is an error of the program.
    package func close() { isOpen = false }

    /// Lets the next processor use the frame, as `key`.
    func reopen(key: FrameKey) {
        self.key = key
        isOpen = true
    }

    /// The region of the payload, which the caller now owns and the frame no longer has.
    package func takeRegion() -> FrameRegion? {
        defer {
            region = nil
            byteCount = 0
        }
        return region
    }

    /// Closes the frame and gives its region back, unless that is an input slot.
    package func releaseRegion() {
        close()
        if let region = takeRegion(), region.isWritable { memory?.release(region) }
    }

    @inline(__always)
    func checkOpen() {
        if !isOpen { endAfterMisuse() }
    }

    /// Ends the program with the reason on standard error: a release build keeps quiet about the text of
    /// a failed precondition.
    private func endAfterMisuse() -> Never {
        let sentence =
            "A Frame was used after `process` returned or after it was handed on; "
            + "copy what has to be kept (copiedImage) while `process` runs.\n"
        _ = sentence.utf8.withContiguousStorageIfAvailable { write(2, $0.baseAddress, $0.count) }
        preconditionFailure("a Frame was used after its time")
    }

    /// The bytes of the payload as they are.
    var bytes: UnsafeRawBufferPointer {
        checkOpen()
        return UnsafeRawBufferPointer(
            start: region.map { UnsafeRawPointer($0.base) }, count: byteCount)
    }

    /// The payload's own, writable memory; the first time the bytes are copied into it.
    func writableBytes() throws -> UnsafeMutableRawBufferPointer {
        let old = bytes
        if let region, region.isWritable {
            return UnsafeMutableRawBufferPointer(start: region.base, count: byteCount)
        }
        let fresh = try takeMemory(byteCount: byteCount)
        if let source = old.baseAddress {
            fresh.base.copyMemory(from: source, byteCount: old.count)
        }
        region = fresh
        return UnsafeMutableRawBufferPointer(start: fresh.base, count: byteCount)
    }

    private func takeMemory(byteCount: Int) throws -> FrameRegion {
        guard let memory else { throw ProcessingError.noPipeline(operation: "changing a frame") }
        let fresh = try memory.take(byteCount: byteCount)
        precondition(fresh.byteCount >= byteCount, "the frame memory gave less than asked for")
        return fresh
    }

    /// Lets `body` write a new payload of `byteCount` bytes while the old one can still be read,
    /// and then puts it in the place of the old one; when `body` throws, nothing has changed.
    func replaceBytes<Result>(
        content: FrameContent, byteCount: Int,
        _ body: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) throws -> Result
    ) throws -> Result {
        let old = bytes
        let fresh = try takeMemory(byteCount: byteCount)
        let result: Result
        do {
            result = try body(
                old, UnsafeMutableRawBufferPointer(start: fresh.base, count: byteCount))
        } catch {
            memory?.release(fresh)
            throw error
        }
        replaceRegion(with: fresh)
        (self.content, self.byteCount) = (content, byteCount)
        return result
    }

    /// Lets `body` write a new payload over the old one where that memory is ours and large enough.
    func overwriteBytes(
        content: FrameContent, byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void
    ) throws {
        checkOpen()
        let target: FrameRegion
        if let region, region.isWritable, region.byteCount >= byteCount {
            target = region
        } else {
            target = try takeMemory(byteCount: byteCount)
            replaceRegion(with: target)
        }
        body(UnsafeMutableRawBufferPointer(start: target.base, count: byteCount))
        (self.content, self.byteCount) = (content, byteCount)
    }

    /// Makes the payload a structure, which needs no memory.
    func replaceStructure(_ structure: Structure, typeName: String) {
        checkOpen()
        replaceRegion(with: nil)
        (content, byteCount) = (.structure(structure, typeName: typeName), 0)
    }

    private func replaceRegion(with fresh: FrameRegion?) {
        if let region, region.isWritable { memory?.release(region) }
        region = fresh
    }
}
