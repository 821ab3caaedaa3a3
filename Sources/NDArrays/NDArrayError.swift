/// What is wrong with an array or with a request to it.
public enum NDArrayError: Error, Equatable, Sendable {
    /// A dimension has no elements.
    case emptyDimension(size: Int)
    /// The array would have more than `limit` bytes.
    case tooLarge(limit: Int)
    /// The colour mode asks for three dimensions with 3 at its place.
    case colorModeMismatch(ColorMode, sizes: [Int])
    /// The pixels are of another type than asked for.
    case elementTypeMismatch(had: ElementType, asked: ElementType)
    /// The pixels are compressed and must be decompressed first.
    case compressed(codecName: String)
    /// The buffer does not have the size that the layout asks for.
    case byteCountMismatch(needed: Int, had: Int)
    /// The payload is not an image.
    case notAnImage(had: String)
    /// The operating system refused a region of memory.
    case memoryRefused(operation: String, byteCount: Int, errno: Int32)
    /// A name or value of a structure or attribute can't be used.
    case invalidValue(name: String, reason: String)
}

extension NDArrayError: CustomStringConvertible {
    /// One sentence: what is wrong and what to do.
    public var description: String {
        switch self {
        case .emptyDimension(let size):
            "a dimension has size \(size); every dimension needs at least one element"
        case .tooLarge(let limit):
            "the array would be larger than \(limit) bytes, the most that one array may have"
        case .colorModeMismatch(let mode, let sizes):
            "colour mode \(mode.name) does not fit dimensions \(sizes); "
                + "RGB1 is [3, x, y], RGB2 [x, 3, y], RGB3 [x, y, 3]"
        case .elementTypeMismatch(let had, let asked):
            "the pixels are \(had), not \(asked); read them as what they are or convert first"
        case .compressed(let codecName):
            "the pixels are compressed with \(codecName); decompress them first"
        case .byteCountMismatch(let needed, let had):
            "the layout needs \(needed) bytes, the buffer has \(had)"
        case .notAnImage(let had):
            "the frame carries \(had), not an image"
        case .memoryRefused(let operation, let byteCount, let errno):
            "\(operation) of \(byteCount) bytes failed (errno \(errno)); "
                + "free memory or ask for a smaller pool"
        case .invalidValue(let name, let reason):
            "\(name): \(reason)"
        }
    }
}
