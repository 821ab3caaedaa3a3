import Foundation
import TestSupport
import Testing

@testable import Commands

@Suite struct ProcessorPackageTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func makePackage(_ name: String) throws -> ProcessorPackage {
        try ProcessorPackage(name: name, in: folder.path, sluice: .folder("/src/Sluice \"x\""))
    }

    @Test(arguments: [
        "", "hotPixels", "Hot-Pixels", "Hot Pixels", "2Pixels", "../Hot", "Höt", "Frame",
        "PixelStatistics", String(repeating: "A", count: 65),
    ])
    func `names that can't be classes are refused`(name: String) {
        #expect(throws: CommandError.self) { try makePackage(name) }
    }

    @Test func `a folder that is there is not touched`() throws {
        try folder.write("x", to: "HotPixels/precious")
        let error = #expect(throws: CommandError.self) { try makePackage("HotPixels") }
        #expect(error?.message.contains("is there already") == true)
    }

    @Test func `everything is written, under the names that fit together`() throws {
        let package = try makePackage("HotPixels")
        try package.write()
        let manifest = try folder.text(of: "HotPixels/Package.swift")
        #expect(manifest.contains(#".package(name: "Sluice", path: "/src/Sluice \"x\"")"#))
        #expect(manifest.contains(#"let sluice = "Sluice""#))
        let worker = try folder.text(of: "HotPixels/Sources/HotPixelsWorker/main.swift")
        #expect(
            worker.contains("WorkerMain.run(processors: standardProcessors + [HotPixels.self])"))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names == ["HotPixels"])
        let steps = package.nextSteps(program: "sluice")
        #expect(steps.contains { $0.contains("--worker .build/release/HotPixelsWorker") })
    }

    @Test func `a repository is a dependency by version`() throws {
        let location = try SluiceLocation.find(given: "https://example.org/x/sluice.git")
        #expect(
            location.dependency
                == #".package(url: "https://example.org/x/sluice.git", from: "0.1.0")"#)
        #expect(location.packageName == "sluice")
        #expect(throws: CommandError.self) { try SluiceLocation.find(given: folder.path) }
    }

    @Test func `the checkout is found above the program`() throws {
        try folder.write("let package = Package(\n    name: \"Sluice\",\n", to: "co/Package.swift")
        try folder.write("", to: "co/Sources/DataProcessing/x.swift")
        let program = try folder.write("", to: "co/.build/x86_64/debug/sluice")
        #expect(SluiceLocation.checkout(of: program) == folder.path + "/co")
        #expect(SluiceLocation.checkout(of: folder.path + "/sluice") == nil)
    }

    @Test func `words are quoted for a shell where they need it`() {
        #expect(ShellText.quoted("a/b-c.d") == "a/b-c.d")
        #expect(ShellText.quoted("a b") == "'a b'")
        #expect(ShellText.quoted("it's") == "'it'\\''s'")
        #expect(ShellText.quoted("") == "''")
    }
}
