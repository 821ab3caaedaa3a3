import Foundation
import Testing

/// The Python with numpy, tifffile and imagecodecs that checks our files: `SLUICE_PYTHON`, else the
/// repository's `.venv`, which `scripts/test` makes.
enum Python {
    static let repository = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let path =
        ProcessInfo.processInfo.environment["SLUICE_PYTHON"]
        ?? repository.appending(path: ".venv/bin/python").path

    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: path) }
    static let hint: Comment = "needs Python with numpy, tifffile, imagecodecs: set SLUICE_PYTHON"

    /// Runs a script and returns what it prints; a failure of the script is one of the test.
    static func run(_ script: String, _ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = ["-c", script] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        try #require(process.terminationStatus == 0, "\(text)")
        return text
    }
}

/// Real detector data, which is not part of the repository: `SLUICE_TEST_DATA`, else beside it.
enum TestData {
    static let folder =
        ProcessInfo.processInfo.environment["SLUICE_TEST_DATA"]
        ?? Python.repository.appending(path: "../shared/data").standardizedFileURL.path

    static var isThere: Bool { FileManager.default.fileExists(atPath: folder + "/diffraction") }
    static let hint: Comment = "needs real detector data: set SLUICE_TEST_DATA"
}
