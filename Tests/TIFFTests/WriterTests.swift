import CLinux
import Foundation
import NDArrays
import TIFF
import TestSupport
import Testing

@Suite struct WriterTests {
    static let fixtures = Checkout.fixtures + "/tiff"

    static func goldenFrame() throws -> NDArray {
        let layout = try ArrayLayout(
            elementType: .uint16,
            dimensions: NDDimensions(
                NDDimension(size: 4, offset: 8, fullSize: 16, binning: 2), NDDimension(size: 3)))
        var array = try NDArray((0..<12).map { UInt16($0) &* 1000 }, layout: layout, uniqueId: 4051)
        array.timeStamp = TimeStamp(
            secondsPastEpoch: TimeStamp.epicsEpochOffset + 847_888_003, nanoseconds: 375_356_916)
        array.attributes = NDAttributes([
            NDAttribute("Model", .string("Simulated")),
            NDAttribute(
                "Exposure time(s)", .float64(29.999), description: "set point",
                sourceType: .epicsProcessVariable, source: "SIM:cam1:AcquireTime"),
            NDAttribute("Gain", .int32(-3)),
            NDAttribute(
                "TIFFImageDescription", .string("# Tau = 0 s\r\n# Gain: low"),
                sourceType: .constant, source: "TIFF:270"),
        ])
        return array
    }

    @Test(
        "the bytes of a file are the golden ones",
        arguments: [("ramp-uint16-4x3.tiff", false), ("ramp-uint16-4x3-big.tiff", true)])
    func golden(_ name: String, _ isBig: Bool) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.tiff")
        let array = try Self.goldenFrame()
        let settings = TIFFSettings(alwaysBigTIFF: isBig)
        try withDescriptor(path) { _ = try TIFFWriter(settings).write(array, to: $0) }
        let golden = Self.fixtures + "/" + name
        if ProcessInfo.processInfo.environment["SLUICE_WRITE_FIXTURES"] != nil {
            try store(contents(path), golden)
        }
        #expect(try contents(path) == contents(golden))
        let read = try TIFFReader(path: golden).readArray()
        #expect(read.layout == array.layout)
        #expect(read.attributes == array.attributes)
        #expect(read.bytes == array.bytes)
        #expect(read.timeStamp == array.timeStamp && read.uniqueId == 4051)
    }

    @Test("a header used again for the next frame gives the bytes that a new writer gives")
    func patched() throws {
        let folder = try TemporaryFolder()
        let writer = TIFFWriter()
        var array = try Self.goldenFrame()
        for id in [1, 2, UInt64.max, 3, 70_000] as [UInt64] {
            array.uniqueId = id
            array.timeStamp =
                id == 3
                ? TimeStamp()
                : TimeStamp(
                    secondsPastEpoch: 1_700_000_000 + Int64(id % 100), nanoseconds: 17)
            if id == 70_000 { array.attributes.set("Gain", .int32(4)) }
            try withDescriptor(folder.file("a")) { _ = try writer.write(array, to: $0) }
            try withDescriptor(folder.file("b")) { _ = try TIFFWriter().write(array, to: $0) }
            #expect(try contents(folder.file("a")) == contents(folder.file("b")))
            #expect(try TIFFReader(path: folder.file("a")).readHeader().uniqueId == id)
        }
    }

    @Test("the checksum is that of the file's bytes", arguments: TIFFCompression.allCases)
    func checksum(_ compression: TIFFCompression) throws {
        guard compression.isAvailable else { return }
        let folder = try TemporaryFolder()
        let writer = TIFFWriter(TIFFSettings(compression: compression, computesChecksum: true))
        for id in [1, 2] as [UInt64] {
            var array = try Self.goldenFrame()
            array.uniqueId = id
            let written = try withDescriptor(folder.file("a")) { try writer.write(array, to: $0) }
            let bytes = try contents(folder.file("a"))
            #expect(written.byteCount == bytes.count)
            #expect(written.checksum == cl_crc32c_table(0, bytes, bytes.count))
        }
    }

    @Test("a pipe that takes little at a time gets all bytes in order")
    func partialWrites() throws {
        let layout = try ArrayLayout(.uint16, width: 500, height: 400)
        let array = ramp(layout)
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        _ = cl_set_pipe_capacity(descriptor, 4096)
        let reader = Thread.detachedRead(pipe.fileHandleForReading)
        let written = try TIFFWriter().write(array, to: descriptor)
        try pipe.fileHandleForWriting.close()
        let folder = try TemporaryFolder()
        try store(reader.wait(), folder.file("a"))
        #expect(written.byteCount == (try contents(folder.file("a"))).count)
        #expect(try TIFFReader(path: folder.file("a")).readArray().bytes == array.bytes)
    }

    @Test("errors of the system are told with the path")
    func systemErrors() throws {
        let array = ramp(try ArrayLayout(.uint16, width: 50, height: 40))
        let full = cl_open("/dev/full", 1, 0)
        defer { close(full) }
        let error = #expect(throws: TIFFError.self) {
            try TIFFWriter().write(array, to: full, path: "out/1.tiff")
        }
        #expect(error?.code == .systemCall(name: "writev", errno: ENOSPC))
        #expect(error?.description.hasPrefix("out/1.tiff") == true)
    }

    @Test("compressed pixels and buffers of another size are refused")
    func refused() throws {
        let layout = try ArrayLayout(
            elementType: .uint16, dimensions: NDDimensions(NDDimension(size: 4)),
            codecName: "blosc")
        #expect(throws: TIFFError.self) {
            try TIFFWriter().write(NDArray(layout: layout), to: 1)
        }
        let plain = try ArrayLayout(.uint16, width: 4, height: 3)
        #expect(throws: TIFFError.self) {
            try TIFFWriter().write(
                UnsafeRawBufferPointer(start: nil, count: 0), layout: plain, uniqueId: 0,
                timeStamp: TimeStamp(), attributes: NDAttributes(), to: 1)
        }
    }
}

/// Bytes that a thread of its own reads to the end.
final class ReadToEnd: @unchecked Sendable {
    // Guarded by the semaphore: written before its signal, read after it.
    private var data = Data()
    private let done = DispatchSemaphore(value: 0)

    init(_ handle: FileHandle) {
        let thread = Thread { [self] in
            data = (try? handle.readToEnd()) ?? Data()
            done.signal()
        }
        thread.start()
    }

    func wait() -> [UInt8] {
        done.wait()
        return [UInt8](data)
    }
}

extension Thread {
    static func detachedRead(_ handle: FileHandle) -> ReadToEnd { ReadToEnd(handle) }
}
