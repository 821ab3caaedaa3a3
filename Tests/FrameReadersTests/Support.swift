import CLinux
import Glibc
import NDArrays

/// A folder that goes with the test.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/sluice-frames-XXXXXX".utf8CString)
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
