import Glibc
import Pipes
import Testing

/// A request to run a line of /bin/sh.
func shell(_ script: String, descriptors: [Int32: Int32] = [:]) -> SpawnRequest {
    SpawnRequest(executable: "/bin/sh", arguments: ["-c", script], descriptors: descriptors)
}

extension OwnedDescriptor {
    /// Everything up to the end, as text.
    borrowing func readText() throws -> String {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let result = try buffer.withUnsafeMutableBytes { area throws in
                try read(into: area)
            }
            switch result {
            case .bytes(let count): text += buffer[..<count]
            case .wouldBlock: _ = try waitUntil(.readable)
            case .endOfFile: return String(decoding: text, as: UTF8.self)
            }
        }
    }

    /// Writes a text whole.
    borrowing func writeText(_ text: String) throws {
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBytes { area in try writeAll(area) }
    }
}

/// Runs a line of /bin/sh and gives what it wrote on standard output, and how it ended.
func run(
    _ script: String, spawner: ProcessSpawner
) throws -> (output: String, status: Pipes.ExitStatus) {
    let pipe = try makePipe()
    let request = shell(script, descriptors: [1: pipe.writer.rawValue, 2: 2])
    return try pipe.split { reader, writer throws -> (String, Pipes.ExitStatus) in
        var child = try spawner.spawn(request)
        try writer.close()
        let text = try reader.readText()
        return (text, try child.wait())
    }
}

extension OwnedDescriptor {
    /// Waits until nobody has the other end any more. Closing it here is not enough: a child that
    /// another test starts at this moment has it too, until its exec.
    borrowing func waitForHangUp() throws {
        var poller = try Poller()
        try poller.add(rawValue, token: 0, interest: [])
        while try poller.wait() == 0 {}
    }
}

/// Whether `number` is an open descriptor of this process.
func isOpen(_ number: Int32) -> Bool { fcntl(number, F_GETFD) >= 0 }

/// A temporary file with these bytes and mode; the caller removes it.
func temporaryFile(_ bytes: [UInt8], mode: mode_t) throws -> String {
    var path = Array("/tmp/sluice-pipes-XXXXXX".utf8CString)
    let descriptor = OwnedDescriptor(owning: mkstemp(&path))
    try bytes.withUnsafeBytes { area in try descriptor.writeAll(area) }
    fchmod(descriptor.rawValue, mode)
    try descriptor.close()
    return String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
