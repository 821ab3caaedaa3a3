internal import Foundation
internal import WorkerProtocol

/// Where the package Sluice is, for packages that depend on it.
enum SluiceLocation: Hashable, Sendable {
    /// A folder with its sources.
    case folder(String)
    /// A repository, at this version or newer.
    case repository(url: String, version: String)

    /// The location that a person gave, or the checkout that the running program was built in.
    static func find(given: String?) throws(CommandError) -> SluiceLocation {
        if let given { return try location(given) }
        if let checkout = checkout(of: runningProgram) { return .folder(checkout) }
        throw CommandError(
            "this program is not in a checkout of Sluice, on which the package must depend: give "
                + "the checkout, or the URL of its repository, with --sluice")
    }

    /// Path of the running program.
    static var runningProgram: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    }

    /// The folder above `program` that holds the package Sluice, nil when none does.
    static func checkout(of program: String) -> String? {
        var folder = FileKind.folder(of: program)
        while folder != "/", folder != "." {
            if isCheckout(folder) { return folder }
            folder = FileKind.folder(of: folder)
        }
        return nil
    }

    /// The line of `dependencies` in a `Package.swift`.
    var dependency: String {
        switch self {
        case .folder(let path): ".package(name: \"Sluice\", path: \(SwiftText.quoted(path)))"
        case .repository(let url, let version):
            ".package(url: \(SwiftText.quoted(url)), from: \"\(version)\")"
        }
    }

    /// The name by which products of the package are asked for.
    var packageName: String {
        switch self {
        case .folder: return "Sluice"
        case .repository(let url, _):
            let last = url.split(separator: "/").last.map(String.init) ?? "Sluice"
            return last.hasSuffix(".git") ? String(last.dropLast(4)) : last
        }
    }

    private static func location(_ given: String) throws(CommandError) -> SluiceLocation {
        if given.contains("://") || given.hasPrefix("git@") {
            return .repository(url: given, version: SluiceVersion.text)
        }
        let path = URL(fileURLWithPath: given).standardizedFileURL.path
        guard isCheckout(path) else {
            throw CommandError("--sluice \(given) holds no package Sluice: give its checkout")
        }
        return .folder(path)
    }

    private static func isCheckout(_ folder: String) -> Bool {
        guard
            let text = try? String(contentsOfFile: "\(folder)/Package.swift", encoding: .utf8)
        else { return false }
        return text.contains("name: \"Sluice\"")
            && FileKind.isFolder("\(folder)/Sources/DataProcessing")
    }
}

/// Pieces of Swift source.
enum SwiftText {
    /// A string literal.
    static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    /// Words that can't be the name of a class: keywords, and names that a processor uses itself.
    static let reservedNames: Set<String> = [
        "Any", "AnyObject", "Array", "Bool", "Character", "Configuration", "Dictionary", "Double",
        "Error", "Float", "Frame", "Int", "NDArray", "Never", "Optional", "Protocol", "Result",
        "Self", "Set", "Setting", "String", "Structure", "Type", "UInt16", "UInt64", "Void",
        "AdImageProcessor", "UserDataProcessor", "UserMpDataProcessor", "AdOutputFileProcessor",
        "PixelStatistics", "PixelSum", "PassThrough", "DarkCorrection",
    ]

    /// Why `name` can't be the name of a class; nil: it can.
    static func flaw(ofClassName name: String) -> String? {
        guard let first = name.unicodeScalars.first else { return "is empty" }
        let isPlain = name.unicodeScalars.allSatisfy {
            ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
        }
        if !isPlain { return "may have letters a to z, A to Z and digits only" }
        if !("A"..."Z").contains(first) { return "must begin with a capital letter" }
        if name.count > 64 { return "has more than 64 letters" }
        if reservedNames.contains(name) { return "is taken by Swift or Sluice" }
        return nil
    }
}
