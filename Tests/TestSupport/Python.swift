import Foundation
public import Testing

/// The Python with numpy, tifffile and imagecodecs that reads our files and checks our numbers:
/// `SLUICE_PYTHON`, else the `.venv` of the checkout, which `scripts/test` makes.
public enum Python {
    /// The path of the interpreter, whether there or not.
    public static let path =
        ProcessInfo.processInfo.environment["SLUICE_PYTHON"] ?? Checkout.path + "/.venv/bin/python"

    /// Whether the interpreter can be run; tests that need it are skipped without.
    public static var isThere: Bool { FileManager.default.isExecutableFile(atPath: path) }

    /// What to say where tests are skipped.
    public static let hint: Comment =
        "needs Python with numpy, tifffile, imagecodecs: run scripts/test or set SLUICE_PYTHON"

    /// The end of a script that failed.
    public struct Failure: Error, CustomStringConvertible {
        /// The exit status, and what the script wrote on standard output and standard error.
        public let description: String
    }

    /// Runs a script and returns what it prints on standard output; throws `Failure` when its exit
    /// status is not 0.
    public static func run(_ script: String, _ arguments: [String]) throws -> String {
        let folder = try TemporaryFolder()
        try folder.write("", to: "errors")
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = ["-c", script] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: URL(filePath: folder.file("errors")))
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        guard process.terminationStatus == 0 else {
            let errors = String(decoding: try folder.bytes(of: "errors"), as: UTF8.self)
            throw Failure(description: "status \(process.terminationStatus): \(text)\(errors)")
        }
        return text
    }

    /// Runs a script with the arguments named, as above.
    public static func run(_ script: String, _ arguments: String...) throws -> String {
        try run(script, arguments)
    }

    /// Runs a script and returns the lines that it prints, empty ones left out.
    public static func lines(_ script: String, _ arguments: [String]) throws -> [String] {
        try run(script, arguments).split(separator: "\n").map(String.init)
    }
}
