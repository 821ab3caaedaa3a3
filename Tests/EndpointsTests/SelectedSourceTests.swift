import FrameReaders
import NDArrays
import Synchronization
import TestSupport
import Testing

@testable import ControllerRuntime
@testable import Endpoints

@Suite struct SelectedSourceTests {
    /// Counts how often it is asked; its frames have ids of their own only where `idOffset` is given.
    private final class CountedSource: FrameSource {
        let information: SourceInformation
        let asked = Mutex(0)
        let cancelled = Mutex(false)
        private let count: Int
        private let idOffset: UInt64?

        init(count: Int, idOffset: UInt64? = nil, fingerprint: String? = "counted") {
            self.count = count
            self.idOffset = idOffset
            var information = SourceInformation(name: "c", frameCount: count, slotByteCount: 8)
            information.fingerprint = fingerprint
            self.information = information
        }

        func next() -> FrameAnnouncement? {
            let number = asked.withLock { asked in
                asked += 1
                return asked
            }
            guard number <= count else { return nil }
            return FrameAnnouncement(
                .bytes(byteCount: 8, typeName: "number"),
                uniqueId: idOffset.map { $0 + UInt64(number) }, sourceName: "s\(number)")
        }

        func fill(_ destination: UnsafeMutableRawBufferPointer) {
            destination.storeBytes(of: UInt64(asked.withLock { $0 }), as: UInt64.self)
        }

        func cancel() { cancelled.withLock { $0 = true } }
    }

    private func positions(_ ids: UInt64...) -> FrameIdRanges {
        var ranges = FrameIdRanges()
        for id in ids { ranges.insert(id) }
        return ranges
    }

    /// Name, id and bytes of every frame.
    private func frames(_ source: SelectedSource) throws -> [String] {
        var found: [String] = []
        while let frame = try source.next() {
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 8)
            defer { bytes.deallocate() }
            try source.fill(bytes)
            let id = try #require(frame.uniqueId)
            found.append("\(frame.sourceName) \(id) \(bytes.load(as: UInt64.self))")
        }
        return found
    }

    @Test func `Frames are those chosen, with their places in the whole source as ids`() throws {
        let base = CountedSource(count: 9)
        let source = SelectedSource(base, positions: positions(2, 5, 6), name: "failed:run")
        #expect(source.information.name == "failed:run")
        #expect(source.information.frameCount == 3)
        #expect(source.information.slotByteCount == 8)
        #expect(try frames(source) == ["s2 2 2", "s5 5 5", "s6 6 6"])
        #expect(base.asked.withLock { $0 } == 6, "nothing is read after the last one")
        #expect(try source.next() == nil, "the end stays the end")
    }

    @Test func `Frames that have ids of their own keep them`() throws {
        let base = CountedSource(count: 9, idOffset: 100)
        let source = SelectedSource(base, positions: positions(1, 9), name: "")
        #expect(try frames(source) == ["s1 101 1", "s9 109 9"])
    }

    @Test func `No frame chosen is no frame, and one beyond the end is not there`() throws {
        let base = CountedSource(count: 3)
        let none = SelectedSource(base, positions: FrameIdRanges(), name: "")
        #expect(try none.next() == nil)
        #expect(none.information.frameCount == 0)
        #expect(base.asked.withLock { $0 } == 0)
        let beyond = SelectedSource(base, positions: positions(3, 4), name: "")
        #expect(try frames(beyond) == ["s3 3 3"])
    }

    @Test func `A selection is told from others, and can be taken up where its source can`() {
        func fingerprint(_ base: String?, _ ids: UInt64...) -> String? {
            var ranges = FrameIdRanges()
            for id in ids { ranges.insert(id) }
            return SelectedSource(
                CountedSource(count: 9, fingerprint: base), positions: ranges, name: ""
            ).information.fingerprint
        }
        #expect(fingerprint("a", 1, 2) == fingerprint("a", 2, 1))
        #expect(fingerprint("a", 1, 2)?.contains("2 frames") == true)
        let others = [
            fingerprint("a", 1, 2), fingerprint("a", 1, 3), fingerprint("b", 1, 2),
            fingerprint("a", 1), fingerprint("a"),
        ]
        #expect(Set(others).count == 5)
        #expect(fingerprint(nil, 1) == nil)
    }

    @Test func `A wait of the source is ended through it`() {
        let base = CountedSource(count: 3)
        SelectedSource(base, positions: positions(1), name: "").cancel()
        #expect(base.cancelled.withLock { $0 })
    }
}

@Suite struct FingerprintTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for name in ["a1.tif", "a2.tif", "b/a3.tif"] { try folder.write(name, to: name) }
    }

    private func fingerprint(_ paths: String...) throws -> String {
        let source = try FileSource(.tiff, paths: paths.map { folder.file($0) })
        return try #require(source.information.fingerprint)
    }

    @Test func `Files are told by names and order, not by what is in them`() throws {
        let whole = try fingerprint("*.tif")
        #expect(whole.hasPrefix("tiff, 2 files from a1.tif to a2.tif, list "))
        #expect(try fingerprint("a1.tif", "a2.tif") == whole)
        try folder.write("something else", to: "a1.tif")
        #expect(try fingerprint("*.tif") == whole)
        #expect(try fingerprint("a2.tif", "a1.tif") != whole)
        #expect(try fingerprint("a1.tif").hasPrefix("tiff, 1 file a1.tif, list "))
        try folder.write("one more", to: "a4.tif")
        #expect(try fingerprint("*.tif").hasPrefix("tiff, 3 files from a1.tif to a4.tif, list "))
    }

    @Test func `Names that only together are the same differ`() throws {
        var first = TextFingerprint()
        for text in ["ab", "c"] { first.add(text.utf8) }
        var second = TextFingerprint()
        for text in ["a", "bc"] { second.add(text.utf8) }
        #expect(first.text != second.text)
        #expect(first.text.count == 16)
        // FNV-1a of "a" and a byte 0, by hand.
        var known = TextFingerprint()
        known.add("a".utf8)
        #expect(known.text == "089be207b544f1e4")
    }

    @Test func `A simulation is told by everything that its frames follow from`() throws {
        func fingerprint(_ change: (inout Simulation) throws -> Void = { _ in }) throws -> String {
            var simulation = Simulation(try ArrayLayout(.uint16, width: 8, height: 4), count: 5)
            try change(&simulation)
            return try #require(SimulatedSource(simulation).information.fingerprint)
        }
        let plain = try fingerprint()
        // Without a rate time stamps count milliseconds.
        #expect(try fingerprint { $0.rate = 1000 } == plain)
        let others = try [
            plain, fingerprint { $0.rate = 50 }, fingerprint { $0.count = 6 },
            fingerprint { $0.count = nil }, fingerprint { $0.seed = 2 },
            fingerprint { $0.pattern = .flat }, fingerprint { $0.level = 3 },
            fingerprint { $0.layout = try ArrayLayout(.uint16, width: 4, height: 8) },
            fingerprint { $0.layout = try ArrayLayout(.int16, width: 8, height: 4) },
        ]
        #expect(Set(others).count == others.count)
    }
}
