internal import Foundation

/// A Swift package with one processor, its test and a worker executable.
struct ProcessorPackage {
    /// Name of the class.
    let name: String
    /// Folder of the package.
    let path: String
    private let sluice: SluiceLocation

    /// A package called `name` in `folder`; nothing is written yet.
    init(name: String, in folder: String, sluice: SluiceLocation) throws(CommandError) {
        if let flaw = SwiftText.flaw(ofClassName: name) {
            throw CommandError("the name `\(name)` \(flaw): give a name like HotPixels")
        }
        guard FileKind.isFolder(folder) else {
            throw CommandError("there is no folder \(folder): make it, or give another --path")
        }
        self.name = name
        self.sluice = sluice
        path = folder == "." ? name : (folder as NSString).appendingPathComponent(name)
        if FileKind.exists(path) {
            throw CommandError("\(path) is there already: give another name or --path")
        }
    }

    /// Name of the module that holds the class.
    var moduleName: String { "\(name)Processor" }
    /// Name of the worker executable.
    var workerName: String { "\(name)Worker" }

    /// Every file by its path in the package.
    var files: [(path: String, text: String)] {
        [
            ("Package.swift", manifest),
            ("Sources/\(moduleName)/\(name).swift", processor),
            ("Sources/\(workerName)/main.swift", worker),
            ("Tests/\(moduleName)Tests/\(name)Tests.swift", test),
            ("README.md", readMe),
            (".gitignore", ".build/\nPackage.resolved\nruns/\n"),
        ]
    }

    /// Writes the package: all of it or nothing.
    func write() throws(CommandError) {
        let manager = FileManager.default
        let folder = FileKind.folder(of: path)
        let temporary = "\(folder)/.\(name).\(getpid()).part"
        do {
            for file in files {
                let place = "\(temporary)/\(file.path)"
                try manager.createDirectory(
                    atPath: FileKind.folder(of: place), withIntermediateDirectories: true)
                try Data(file.text.utf8).write(to: URL(fileURLWithPath: place))
            }
            try manager.moveItem(atPath: temporary, toPath: path)
        } catch {
            // The error of before is the one to tell.
            try? manager.removeItem(atPath: temporary)
            throw CommandError("can't make \(path): \(SystemReason.of(error))")
        }
    }

    /// What to type next.
    func nextSteps(program: String) -> [String] {
        [
            "made \(path): the processor is in Sources/\(moduleName)/\(name).swift", "",
            "  cd \(ShellText.quoted(path))",
        ] + commands(program: program).map { "  \($0)" }
    }

    private func commands(program: String) -> [String] {
        let worker = ".build/release/\(workerName)"
        return [
            "swift test",
            "swift build -c release",
            "\(program) processors --worker \(worker) \(name)",
            "\(program) run --source sim:count=20 --worker \(worker) --processor \(name) "
                + "--processor AdOutputFileProcessor:outputDirectory=out",
        ]
    }

    // MARK: - Files

    private var manifest: String {
        """
        // swift-tools-version: 6.2
        import PackageDescription

        let sluice = "\(sluice.packageName)"
        let processing: Target.Dependency = .product(name: "SluiceProcessing", package: sluice)
        let testing: Target.Dependency = .product(name: "SluiceTesting", package: sluice)

        let package = Package(
            name: "\(name)",
            products: [.executable(name: "\(workerName)", targets: ["\(workerName)"])],
            dependencies: [
                \(sluice.dependency)
            ],
            targets: [
                .target(name: "\(moduleName)", dependencies: [processing]),
                .executableTarget(
                    name: "\(workerName)", dependencies: ["\(moduleName)", processing]),
                .testTarget(
                    name: "\(moduleName)Tests",
                    dependencies: ["\(moduleName)", processing, testing]),
            ]
        )

        """
    }

    private var processor: String {
        """
        import DataProcessing

        /// Sets pixels above a threshold to 0, and counts them.
        public final class \(name): AdImageProcessor {
            static let threshold = Setting(
                "threshold", default: 60_000, in: 0...65_535, unit: "counts",
                "Pixels above it are set to 0.")

            public override class var summary: String { "Sets pixels above a threshold to 0." }
            public override class var settings: [any SettingDeclaration] { [threshold] }

            private var threshold = UInt16.max
            private var nPixelsSet: UInt64 = 0

            /// Called before the first frame, and whenever `sluice configure` changes a setting.
            public override func configure(_ configuration: Configuration) throws {
                threshold = UInt16(clamping: configuration[Self.threshold])
            }

            /// Called for every frame. Return the frame, or nil to filter it out; throw, and it
            /// fails.
            public override func process(_ frame: Frame) throws -> Frame? {
                let limit = threshold
                var count: UInt64 = 0
                try frame.mapPixels(of: UInt16.self) { _, pixel in
                    guard pixel > limit else { return pixel }
                    count += 1
                    return 0
                }
                nPixelsSet += count
                return frame
            }

            public override func resetStats() { nPixelsSet = 0 }

            public override func getStats() -> [String: StatisticValue] {
                ["nPixelsSet": .unsigned(nPixelsSet)]
            }

            public override func getStatsTypes() -> [StatisticDeclaration] {
                [
                    StatisticDeclaration(
                        key: "nPixelsSet", kind: .unsigned, unit: .count,
                        description: "Pixels that were above the threshold")
                ]
            }
        }

        """
    }

    private var worker: String {
        """
        import \(moduleName)
        import Processors
        import WorkerRuntime

        // The processors of Sluice, and yours.
        WorkerMain.run(processors: standardProcessors + [\(name).self])

        """
    }

    private var test: String {
        """
        import DataProcessing
        import \(moduleName)
        import ProcessorTesting
        import Testing

        @Test func `pixels above the threshold become 0`() throws {
            let harness = try ProcessorHarness(\(name).self, configuration: ["threshold": 5])
            let image = try FrameFactory.image(.uint16, width: 4, height: 2, pattern: .ramp)
            let result = try #require(try harness.process(image).image)
            var pixels: [UInt16] = []
            result.withUnsafeBytes { pixels = Array($0.bindMemory(to: UInt16.self)) }
            #expect(pixels == [0, 1, 2, 3, 4, 5, 0, 0])
            #expect(harness.processor.getStats()["nPixelsSet"] == .unsigned(2))
        }

        @Test func `it does what the pipeline relies on`() throws {
            try ProcessorConformance(\(name).self).verify()
        }

        """
    }

    private var readMe: String {
        """
        # \(name)

        A processor for Sluice: `Sources/\(moduleName)/\(name).swift`.
        `Sources/\(workerName)` is the worker executable that hosts it, together with the processors
        that come with Sluice.

        ```
        \(commands(program: "sluice").joined(separator: "\n"))
        ```

        `process` gets one frame after the other; each worker has its own instance of the class. The
        test runs it without a pipeline, and checks what the pipeline relies on.

        """
    }
}

/// Words of a shell command.
enum ShellText {
    /// The word, in single quotes where it needs them.
    static func quoted(_ word: String) -> String {
        let isPlain = word.allSatisfy { $0.isLetter || $0.isNumber || "_-./:=,@%+".contains($0) }
        return isPlain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
