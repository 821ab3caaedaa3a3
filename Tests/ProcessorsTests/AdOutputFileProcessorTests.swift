import DataProcessing
import NDArrays
import ProcessorTesting
import Processors
import TIFF
import TestSupport
import Testing

@Suite struct AdOutputFileProcessorTests {
    @Test(arguments: ["none", "deflate", "lzw", "zstd"])
    func `a file holds the frame, whatever the compression`(compression: String) throws {
        let folder = try TemporaryFolder()
        let harness = try ProcessorHarness(
            AdOutputFileProcessor.self,
            configuration: ["outputDirectory": folder.path + "/new", "compression": compression])
        for image in try FrameFactory.sequence(2, .float32) {
            let result = try harness.process(image)
            #expect(result.failure == nil)
            let name = "00000\(image.uniqueId).tiff"
            let file = try #require(result.files[name])
            try folder.write(file, to: name)
            let read = try TIFFReader(path: folder.file(name)).readArray()
            #expect(read.bytes == image.bytes)
            #expect(read.uniqueId == image.uniqueId)
            #expect(read.attributes["FrameNumber"]?.value == image.attributes["FrameNumber"]?.value)
        }
        let stats = harness.statistics
        #expect(stats.userValue("nFilesSaved") == .unsigned(2))
        #expect(
            stats.userStatistics.map(\.declaration.key) == [
                "nFilesSaved", "nBytesSaved", "fileProcessingTime", "fileProcessingRate",
                "dataStorageRateMBps",
            ])
        try harness.stop()
    }

    @Test(
        .enabled(if: Python.isThere, Python.hint),
        .timeLimit(.minutes(1)))
    func `tifffile reads the same pixels`() throws {
        let folder = try TemporaryFolder()
        let harness = try ProcessorHarness(
            AdOutputFileProcessor.self,
            configuration: [
                "outputDirectory": folder.path, "outputFileNameFormat": "{frameId}.tif",
            ])
        var arguments: [String] = []
        for type in ElementType.allCases where type != .boolean {
            let image = try FrameFactory.image(
                type, width: 31, height: 22, pattern: .noise(seed: 1))
            let result = try harness.process(image)
            let (name, file) = try #require(result.files.first)
            try folder.write(file, to: name)
            try folder.write(image.bytes, to: name + ".raw")
            arguments.append(folder.file(name))
        }
        let script = """
            import sys, numpy, tifffile
            for path in sys.argv[1:]:
                a = tifffile.imread(path)
                assert a.shape == (22, 31), a.shape
                assert a.tobytes() == open(path + '.raw', 'rb').read(), path
                print(a.dtype)
            """
        let types = try Python.lines(script, arguments)
        #expect(types == ElementType.allCases.dropFirst().map(\.name))
    }

    @Test func `names follow the format and a missing attribute fails the frame`() throws {
        let folder = try TemporaryFolder()
        let harness = try ProcessorHarness(
            AdOutputFileProcessor.self,
            configuration: [
                "outputDirectory": folder.path,
                "outputFileNameFormat": "{sourceName}_{FrameNumber:03}_{index}.TIF",
            ])
        let image = try FrameFactory.image(uniqueId: 5)
        #expect(
            try harness.process(image, sourceName: "a/scan.tif").files.keys.first
                == "scan_005_0.TIF")
        var bare = image
        bare.attributes = NDAttributes()
        let failure = try harness.process(bare).failure
        #expect(failure?.contains("the frame has no attribute FrameNumber") == true)
        try harness.configure(["outputFileNameFormat": "x{uniqueId}.tiff"])
        #expect(try harness.process(image).files.keys.first == "x5.tiff")
    }

    @Test func `a format that is no TIFF's or can't be read is refused before the start`() throws {
        #expect(throws: (any Error).self) {
            try ProcessorHarness(
                AdOutputFileProcessor.self,
                configuration: ["outputFileNameFormat": "{uniqueId}.png"])
        }
        let folder = try TemporaryFolder()
        let harness = try ProcessorHarness(
            AdOutputFileProcessor.self, configuration: ["outputDirectory": folder.path])
        #expect(throws: ConfigurationError.self) {
            try harness.validate(["outputFileNameFormat": "{uniqueId}.png"])
        }
        #expect(throws: ProcessingError.self) {
            try harness.validate(["outputFileNameFormat": "{uniqueId.tiff"])
        }
        #expect(throws: ConfigurationError.self) { try harness.validate(["compression": "jpeg"]) }
        #expect(throws: ProcessorFailureLike.self) {
            do {
                _ = try ProcessorHarness(
                    AdOutputFileProcessor.self,
                    configuration: ["outputDirectory": "/proc/no/such"])
            } catch { throw ProcessorFailureLike(text: "\(error)") }
        }
    }

    struct ProcessorFailureLike: Error { let text: String }

    @Test func `a change of folder while running takes effect at the next frame`() throws {
        let (first, second) = (try TemporaryFolder(), try TemporaryFolder())
        let processor = try AdOutputFileProcessor(
            configuration: Configuration(for: AdOutputFileProcessor.self))
        let chain = ProcessorChain(
            [
                ProcessorChain.Link(
                    processor,
                    try Configuration(
                        Structure(["outputDirectory": .scalar(.string(first.path))]),
                        for: AdOutputFileProcessor.self))
            ], memory: PrivateFrameMemory())
        let files = StagedOutputFiles(runName: "t")
        chain.place(in: UserDataProcessor.Surroundings(outputFiles: files))
        try chain.start()
        let frame = Frame()
        var staged: [StagedFile] = []
        for (id, folder) in [(UInt64(1), first), (2, second)] {
            let change = Structure(["outputDirectory": .scalar(.string(folder.path))])
            try chain.configure(try chain.validate(change, at: 0), at: 0)
            var pixels: [UInt8] = [1, 2, 3, 4]
            try pixels.withUnsafeMutableBytes { bytes throws in
                let base = try #require(bytes.baseAddress)
                frame.reset(
                    key: FrameKey(frameId: id), uniqueId: id,
                    content: .image(try ArrayLayout(.uint8, width: 2, height: 2)),
                    region: FrameRegion(
                        base: base, byteCount: 4, origin: .input(pool: 0, slot: 0)),
                    byteCount: 4, memory: PrivateFrameMemory())
                files.begin(attempt: 0)
                guard case .processed = chain.process(frame) else {
                    Issue.record("not processed")
                    return
                }
            }
            staged += files.take()
        }
        #expect(staged[0].finalPath == first.path + "/000001.tiff")
        #expect(staged[1].finalPath == second.path + "/000002.tiff")
        #expect(staged.allSatisfy { $0.checksum != nil && !$0.overwrite })
    }

    @Test func `a dark image is subtracted in the type of the frames`() throws {
        let folder = try TemporaryFolder()
        let writer = ImmediateOutputFiles()
        _ = writer
        let dark = try NDArray([10, 20, 30, 65_535] as [UInt16], width: 2, height: 2)
        try folder.write(try tiff(dark, in: folder), to: "dark.tif")
        let configuration: [String: any SettingValue] = ["dark": folder.file("dark.tif")]
        let harness = try ProcessorHarness(DarkCorrection.self, configuration: configuration)
        func corrected<Element: ArrayElement>(_ pixels: [Element]) throws -> [Element]? {
            let image = try NDArray(pixels, width: 2, height: 2)
            return try harness.process(image).image?.elements(of: Element.self)
        }
        #expect(try corrected([15, 15, 30, 0] as [UInt16]) == [5, 0, 0, 0])
        #expect(try corrected([15, 15, 30, 0] as [Int32]) == [5, 0, 0, 0])
        #expect(try corrected([15.5, 15, 31, .nan] as [Float])?.prefix(3) == [5.5, 0, 1])
        #expect(try corrected([200, 15, 30, 255] as [UInt8]) == [190, 0, 0, 0])
        try harness.configure(["clamp": false])
        #expect(try corrected([15, 15, 30, 0] as [Int32]) == [5, -5, 0, -65_535])
        #expect(try corrected([-128, 127, 0, 0] as [Int8]) == [-128, 107, -30, -127])
        let other = try harness.process(try FrameFactory.image(width: 3, height: 3))
        #expect(
            other.failure?.contains("the dark image is 2×2 uint16, this frame 3×3 uint16") == true)
        #expect(throws: (any Error).self) { try harness.validate(["dark": "/no/such/file.tif"]) }
        try ProcessorConformance(
            DarkCorrection.self, configuration: configuration,
            inputs: [try FrameFactory.image(width: 2, height: 2)]
        ).verify()
    }

    private func tiff(_ image: NDArray, in folder: TemporaryFolder) throws -> [UInt8] {
        let harness = try ProcessorHarness(
            AdOutputFileProcessor.self, configuration: ["outputDirectory": folder.path])
        return try harness.process(image).files.values.first ?? []
    }
}
