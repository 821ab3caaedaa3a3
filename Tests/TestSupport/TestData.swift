import Foundation
public import Testing

/// Real detector data, which is not part of the checkout; tests that need it are skipped without.
public enum TestData {
    /// The folder of the data: `SLUICE_TEST_DATA`, else the first `shared/data` beside the checkout
    /// or one of the two folders around it; nil when there is none.
    public static let folder: String? = {
        if let given = ProcessInfo.processInfo.environment["SLUICE_TEST_DATA"] { return given }
        var place = URL(filePath: Checkout.path)
        for _ in 0..<3 {
            place.deleteLastPathComponent()
            let data = place.appending(path: "shared/data").path
            if FileManager.default.fileExists(atPath: data) { return data }
        }
        return nil
    }()

    /// The paths of the diffraction images, by name; empty when the data is not there.
    public static let diffraction: [String] = {
        guard let folder = folder.map({ $0 + "/diffraction" }) else { return [] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".tif") }.sorted().map { "\(folder)/\($0)" }
    }()

    /// Whether the diffraction images are there.
    public static var isThere: Bool { !diffraction.isEmpty }

    /// What to say where tests are skipped.
    public static let hint: Comment = "needs real detector data: set SLUICE_TEST_DATA"
}
