/// Why a renderer, a registration or the metadata of a host was refused.
public enum RenderError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A value of the metadata is no text, number or boolean; `type` is what it is.
    case unsupportedType(key: String, type: String)
    /// A writer of that name is registered already.
    case duplicateWriter(String)
    /// A setting is out of range; what it is and what it must be.
    case invalidSetting(String)

    /// One sentence; the first two are those of plumd.
    public var description: String {
        switch self {
        case .unsupportedType(let key, let type):
            "host metadata: unsupported type: \(key)=\(type)"
        case .duplicateWriter(let name): "duplicate writer registered: \(name)"
        case .invalidSetting(let what): what
        }
    }
}
