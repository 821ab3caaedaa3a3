internal import Glibc

/// Why a source can't be made from what a person wrote.
public enum SourceError: Error, Sendable, Hashable {
    /// There is no such kind of source.
    case unknownKind(String, nearest: String?, known: [String])
    /// The kind has no such setting.
    case unknownSetting(kind: String, name: String, nearest: String?, known: [String])
    /// The value of a setting is of the wrong kind or out of range.
    case invalidValue(kind: String, name: String, value: String, allowed: String)
    /// A live simulation without a pace.
    case liveWithoutRate
    /// A kind that reads files was given none.
    case noPaths(kind: String)
    /// A kind that reads no files was given some.
    case pathsNotTaken(kind: String, path: String)
    /// No file has this name, or fits this pattern.
    case noMatch(pattern: String)
    /// The folder has no file with an extension of the kind.
    case emptyFolder(path: String, extensions: [String])
    /// A file or folder can't be looked at, with the system's error number.
    case unreadable(path: String, errorNumber: Int32)
    /// It is neither file nor folder (a pipe or device, say).
    case notAFile(path: String)
    /// More files than one source may have.
    case tooManyFiles(limit: Int)
    /// A file that already exists would be written over.
    case fileExists(path: String)
    /// A file or folder can't be made or written.
    case notWritable(path: String, reason: String)
}

extension SourceError: CustomStringConvertible {
    /// One sentence: what, where, what to do.
    public var description: String {
        switch self {
        case .unknownKind(let kind, let nearest, let known):
            "there is no source of kind '\(kind)'; "
                + Self.advice(nearest, "the kinds are", known)
        case .unknownSetting(let kind, let name, let nearest, let known):
            "a \(kind) source has no setting '\(name)'; "
                + Self.advice(nearest, "its settings are", known)
        case .invalidValue(let kind, let name, let value, let allowed):
            "setting '\(name)' of the \(kind) source can't be '\(value)'; give \(allowed)"
        case .liveWithoutRate:
            "a live sim source needs a pace: give rate, as sim:rate=100,live=true"
        case .noPaths(let kind):
            "a \(kind) source needs a file, a folder or a pattern, such as '\(kind):scan/*.\(kind)'"
        case .pathsNotTaken(let kind, let path):
            "a \(kind) source reads no files, but was given '\(path)'"
        case .noMatch(let pattern):
            "no file is called or matches '\(pattern)'; check the path"
        case .emptyFolder(let path, let extensions):
            "the folder '\(path)' has no files that end in "
                + extensions.map { ".\($0)" }.joined(separator: " or ")
                + "; name the files by a pattern if they are called otherwise"
        case .unreadable(let path, let errorNumber):
            "'\(path)' can't be read: \(Self.text(errorNumber))"
        case .notAFile(let path):
            "'\(path)' is neither a file nor a folder"
        case .tooManyFiles(let limit):
            "there are more than \(limit) files, the most of one source; use several runs"
        case .fileExists(let path):
            "'\(path)' exists already; choose another folder or remove it"
        case .notWritable(let path, let reason):
            "'\(path)' can't be written: \(reason)"
        }
    }

    private static func advice(_ nearest: String?, _ introduction: String, _ known: [String])
        -> String
    {
        if let nearest { return "did you mean '\(nearest)'?" }
        return known.isEmpty ? "it has none" : "\(introduction) \(known.joined(separator: ", "))"
    }

    static func text(_ errorNumber: Int32) -> String {
        strerror(errorNumber).map { String(cString: $0) } ?? "error \(errorNumber)"
    }
}
