import CLinux
import Glibc
import NDArrays
import TIFF

/// A folder that goes with the test.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/sluice-tiff-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    deinit {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { unlink(path + "/" + name) }
            }
            closedir(folder)
        }
        rmdir(path)
    }

    func file(_ name: String) -> String { path + "/" + name }
}

func withDescriptor<Result>(_ path: String, _ body: (Int32) throws -> Result) throws -> Result {
    let descriptor = cl_open(path, O_RDWR | O_CREAT | O_TRUNC, 0o644)
    defer { close(descriptor) }
    return try body(descriptor)
}

func contents(_ path: String) throws -> [UInt8] {
    let descriptor = cl_open(path, O_RDONLY, 0)
    defer { close(descriptor) }
    var status = stat()
    fstat(descriptor, &status)
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    _ = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress!, $0.count) }
    return bytes
}

func store(_ bytes: some Collection<UInt8>, _ path: String) throws {
    try withDescriptor(path) { descriptor in
        _ = [UInt8](bytes).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }
}

extension NDArray {
    var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}

/// Numbers that are the same for the same seed (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// An array of this layout whose bytes are a ramp, so that every element is another one.
func ramp(_ layout: ArrayLayout, uniqueId: UInt64 = 7) -> NDArray {
    var array = NDArray(layout: layout, uniqueId: uniqueId)
    array.withUnsafeMutableBytes { bytes in
        switch layout.elementType {
        case .boolean: for index in bytes.indices { bytes[index] = UInt8(index % 3 == 0 ? 1 : 0) }
        case .int8, .uint8: for index in bytes.indices { bytes[index] = UInt8(index * 37 & 255) }
        case .int16, .uint16: fill(bytes) { UInt16(truncatingIfNeeded: $0 &* 977 &- 300) }
        case .int32, .uint32: fill(bytes) { UInt32(truncatingIfNeeded: $0 &* 70_000_001 &- 5) }
        case .int64, .uint64:
            fill(bytes) { UInt64(truncatingIfNeeded: $0 &* 7_000_000_000_000_001 &- 5) }
        case .float32: fill(bytes) { Float($0) * 1.1e10 - 3 }
        case .float64: fill(bytes) { Double($0) * 1.1e300 / 1e5 - 3 }
        }
    }
    return array
}

private func fill<Value: BitwiseCopyable>(
    _ bytes: UnsafeMutableRawBufferPointer, _ value: (Int) -> Value
) {
    for index in 0..<bytes.count / MemoryLayout<Value>.size {
        bytes.storeBytes(
            of: value(index), toByteOffset: index * MemoryLayout<Value>.size, as: Value.self)
    }
}
