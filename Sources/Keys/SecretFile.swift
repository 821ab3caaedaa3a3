internal import CLinux
internal import Glibc

/// Reading and writing files that only their owner may read.
enum SecretFile {
    /// A PEM file of a 16 384 bit RSA key has 13 KB; what is far larger is no key.
    static let maximumByteCount = 64 << 10

    /// The bytes of a file, which not everybody may write; with `isSecret` it has to belong to this user, or
    /// to root, and nobody else may have any right to it.
    static func read(_ path: String, isSecret: Bool) throws(KeyError) -> [UInt8] {
        // Not a device or a pipe, which would wait or never end.
        let descriptor = cl_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
        guard descriptor >= 0 else {
            throw .refused(operation: "opening", path: path, errno: errno)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .refused(operation: "reading", path: path, errno: errno)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .badFile(path: path, reason: "it is not a file")
        }
        guard status.st_size <= maximumByteCount else {
            throw .badFile(
                path: path, reason: "it has \(status.st_size) bytes, which is more than a key has")
        }
        guard isSecret || status.st_mode & 0o002 == 0 else {
            throw .badFile(
                path: path,
                reason: "everybody may write it, and so put another key in its place; use chmod o-w"
            )
        }
        if isSecret {
            guard status.st_uid == geteuid() || status.st_uid == 0 else {
                throw .badFile(path: path, reason: "it belongs to another user, who may read it")
            }
            let open = status.st_mode & 0o077
            guard open == 0 else {
                throw .openToOthers(path: path, mode: status.st_mode & 0o777)
            }
        }
        return try contents(descriptor, path)
    }

    private static func contents(
        _ descriptor: Int32, _ path: String
    ) throws(KeyError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: maximumByteCount)
        defer { wipe(&bytes) }
        var filled = 0
        while filled < bytes.count {
            let start = filled
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress! + start, buffer.count - start)
            }
            if count > 0 {
                filled += count
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw .refused(operation: "reading", path: path, errno: errno)
            }
        }
        return Array(bytes[..<filled])
    }

    /// Writes a new file, which must not exist, readable by its owner alone (`isSecret`) or by all.
    static func write(_ bytes: [UInt8], to path: String, isSecret: Bool) throws(KeyError) {
        let mode: UInt32 = isSecret ? 0o600 : 0o644
        let descriptor = cl_open(path, O_WRONLY | O_CREAT | O_EXCL, mode)
        guard descriptor >= 0 else {
            throw .refused(operation: "making", path: path, errno: errno)
        }
        var done = 0
        var code: Int32 = 0
        while done < bytes.count, code == 0 {
            let start = done
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress! + start, $0.count - start)
            }
            if count > 0 { done += count } else if errno != EINTR { code = errno }
        }
        if code == 0, fsync(descriptor) != 0 { code = errno }
        if close(descriptor) != 0, code == 0 { code = errno }
        guard code == 0 else {
            unlink(path)
            throw .refused(operation: "writing", path: path, errno: code)
        }
    }

    /// Overwrites bytes that are secret, in a way that the compiler keeps.
    static func wipe(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { buffer in
            if let base = buffer.baseAddress { explicit_bzero(base, buffer.count) }
        }
    }
}

/// The passphrase of a protected key.
public struct Passphrase: Sendable {
    let bytes: [UInt8]

    /// The first line of a file that nobody else may read.
    ///
    /// - Throws: `KeyError` when the file does not serve or its first line is empty.
    public init(path: String) throws(KeyError) {
        let contents = try SecretFile.read(path, isSecret: true)
        let line = contents.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard !line.isEmpty else {
            throw .badFile(path: path, reason: "its first line, the passphrase, is empty")
        }
        bytes = Array(line)
    }
}
