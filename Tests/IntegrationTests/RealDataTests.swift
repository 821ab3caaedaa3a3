import ControllerRuntime
import Endpoints
import NDArrays
import TestSupport
import Testing

@Suite("Real detector frames", .timeLimit(.minutes(2)))
struct RealDataTests {
    /// Compares inputs with outputs: pixels, areaDetector's attribute texts, descriptive tags, and the
    /// attributes of PixelStatistics with numpy's numbers. Prints the names of the outputs.
    private static let comparison = """
        import glob, sys, numpy, tifffile
        def read(path):
            with tifffile.TiffFile(path) as file:
                page = file.pages[0]
                return page.asarray(), {tag.code: tag.value for tag in page.tags}
        outputs = {path: read(path) for path in sorted(glob.glob(sys.argv[1] + '/*.tiff'))}
        for path in sys.argv[2:]:
            pixels, tags = read(path)
            same = [p for p, (other, _) in outputs.items()
                    if other.dtype == pixels.dtype and numpy.array_equal(other, pixels)]
            assert len(same) == 1, (path, same)
            written = outputs[same[0]][1]
            texts = {v for c, v in written.items() if c >= 65010}
            for code, value in tags.items():
                if code >= 65010:
                    assert value in texts, (path, code, value)
                if code in (270, 306, 65000, 65001, 65002, 65003):
                    assert written[code] == value, (path, code, value, written[code])
            values = dict(t.split(':', 1) for t in texts if ':' in t)
            exact = pixels.astype(numpy.float64)
            assert float(values['MinValue']) == exact.min(), (path, values['MinValue'])
            assert float(values['MaxValue']) == exact.max(), (path, values['MaxValue'])
            assert float(values['Total']) == exact.sum(), (path, values['Total'])
            assert numpy.isclose(float(values['MeanValue']), exact.mean(), rtol=1e-12)
            assert numpy.isclose(float(values['SigmaValue']), exact.std(), rtol=1e-9)
            y, x = numpy.unravel_index(pixels.argmax(), pixels.shape)
            assert (int(values['MaxX']), int(values['MaxY'])) == (x, y), path
            print(same[0].split('/')[-1])
        """

    @Test(
        "go through two workers with their pixels and attributes, and numpy's statistics",
        .enabled(if: TestData.isThere, TestData.hint), .enabled(if: Python.isThere, Python.hint))
    func diffraction() async throws {
        let folder = try TemporaryFolder()
        let source = try SourceFactory.makeSource(kind: "tiff", paths: TestData.diffraction)
        let stage = try Scenario.stage(
            workers: 2, Scenario.processor("PixelStatistics"),
            Scenario.processor("AdOutputFileProcessor", ["outputDirectory": folder.file("out")]))
        let controller = try Controller(
            RunConfiguration(stages: [stage], runDirectory: folder.file("run")), source: source)
        let summary = try await controller.run()
        expectBalance(summary, accepted: UInt64(TestData.diffraction.count))
        #expect(summary.processed == summary.accepted, "\(summary.failures)")
        #expect(try folder.files(in: "out").count == TestData.diffraction.count)
        let names = try Python.lines(Self.comparison, [folder.file("out")] + TestData.diffraction)
        #expect(Set(names).count == TestData.diffraction.count)
    }

    @Test(
        "give the same bytes at any number of workers",
        .enabled(if: TestData.isThere, TestData.hint))
    func deterministic() async throws {
        var trees: [[[UInt8]]] = []
        for workers in 1...3 {
            let folder = try TemporaryFolder()
            let source = try SourceFactory.makeSource(kind: "tiff", paths: TestData.diffraction)
            let stage = try Scenario.stage(
                workers: workers, Scenario.processor("PixelStatistics"),
                Scenario.processor("AdOutputFileProcessor", ["outputDirectory": folder.file("out")])
            )
            let controller = try Controller(RunConfiguration(stages: [stage]), source: source)
            _ = try await controller.run()
            trees.append(try folder.files(in: "out").map { try folder.bytes(of: "out/" + $0) })
        }
        #expect(trees[0].count == TestData.diffraction.count)
        #expect(trees[0] == trees[1] && trees[1] == trees[2])
    }
}
