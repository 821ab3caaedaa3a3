import Foundation
import NDArrays

/// Where the repository lies.
private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

/// The second implementation: $SLUICE_PYTHON, or the Python of the virtual environment that
/// scripts/test makes, with numpy and tifffile. Without one the tests that need it are skipped.
enum Python {
    static let path: String? = {
        let path =
            ProcessInfo.processInfo.environment["SLUICE_PYTHON"]
            ?? root.appending(path: ".venv/bin/python").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()
    static let isThere = path != nil

    struct Failed: Error { let output: String }

    /// Runs a script and returns the lines that it prints.
    static func run(_ script: String, _ arguments: [String]) throws -> [String] {
        let process = Process()
        process.executableURL = URL(filePath: path ?? "")
        process.arguments = ["-c", script] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = String(
            decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(output: output) }
        return output.split(separator: "\n").map(String.init)
    }
}

/// Real detector frames beside the repository; tests that need them are skipped without.
enum RealData {
    static let diffraction: [String] = {
        var folder = root
        for _ in 0..<3 {
            folder.deleteLastPathComponent()
            let place = folder.appending(path: "shared/data/diffraction")
            let names = try? FileManager.default.contentsOfDirectory(atPath: place.path)
            if let names {
                return names.filter { $0.hasSuffix(".tif") }.sorted()
                    .map { place.appending(path: $0).path }
            }
        }
        return []
    }()
}

/// A folder that goes away with the test.
final class TemporaryFolder {
    let url = FileManager.default.temporaryDirectory.appending(path: "sluice-\(UUID().uuidString)")
    var path: String { url.path }

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func file(_ name: String) -> String { url.appending(path: name).path }

    func write(_ bytes: some Collection<UInt8>, as name: String) throws {
        try Data(bytes).write(to: url.appending(path: name))
    }
}

extension NDArray {
    var bytes: [UInt8] { withUnsafeBytes { Array($0) } }
}
