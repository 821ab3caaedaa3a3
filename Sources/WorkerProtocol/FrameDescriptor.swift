package import NDArrays
internal import Wire

/// Where the bytes of a frame lie.
package enum FrameLocation: Sendable, Hashable {
    /// After the body of this message, `byteCount` bytes from `byteOffset` of its payload.
    case inline(byteOffset: UInt64, byteCount: UInt64)
    /// In a slot of a shared pool, from its beginning.
    case slot(pool: UInt16, slot: UInt32, byteCount: UInt64)
    /// In a file that the worker reads: format (`tiff`, `npy`), path, and frame in it from 0.
    case reference(format: String, path: String, index: UInt64)
    /// Of an output: the input of the same request, unchanged bytes.
    case sameAsInput
}

/// What kind of payload a frame carries.
package enum PayloadDescriptor: Sendable, Hashable {
    /// An image with this layout; nil when only the worker will know it (references).
    case image(ArrayLayout?)
    /// Bytes of a named type.
    case bytes(typeName: String)
    /// Named values, here in the message; the location has no bytes.
    case structure(Structure, typeName: String)
}

/// A frame without its bytes.
package struct FrameDescriptor: Sendable, Hashable {
    /// The source's own id.
    package var uniqueId: UInt64
    /// When it was taken.
    package var timeStamp: TimeStamp
    /// What it carries.
    package var payload: PayloadDescriptor
    /// Where its bytes lie.
    package var location: FrameLocation
    /// Attributes, without those that a referenced file holds itself.
    package var attributes: NDAttributes
    /// Name of the source or file, for output names.
    package var sourceName: String

    /// A frame with these properties.
    package init(
        uniqueId: UInt64, timeStamp: TimeStamp = TimeStamp(), payload: PayloadDescriptor,
        location: FrameLocation, attributes: NDAttributes = NDAttributes(), sourceName: String = ""
    ) {
        self.uniqueId = uniqueId
        self.timeStamp = timeStamp
        self.payload = payload
        self.location = location
        self.attributes = attributes
        self.sourceName = sourceName
    }

    /// Bytes of the payload where the descriptor says so, 0 for references and structures.
    package var byteCount: UInt64 {
        switch location {
        case .inline(_, let byteCount), .slot(_, _, let byteCount): byteCount
        case .reference, .sameAsInput: 0
        }
    }
}
