import Foundation
import Keys
import TestSupport

/// A folder with keys in it. RSA keys take long to make, so each is made once for all tests.
final class TestKeys: Sendable {
    private static let rsa = Result { try PrivateKey(generating: .rsa, bitCount: 2048) }
    private static let otherRSA = Result { try PrivateKey(generating: .rsa, bitCount: 2048) }

    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try Self.rsa.get().write(to: folder.file("rsa.pem"))
        try Self.rsa.get().publicKey.write(to: folder.file("rsa.pub"))
        try Self.otherRSA.get().write(to: folder.file("other.pem"))
        try Self.otherRSA.get().publicKey.write(to: folder.file("other.pub"))
        for (name, kind) in [("x", KeyKind.x25519), ("ed", .ed25519), ("x2", .x25519)] {
            let key = try PrivateKey(generating: kind)
            try key.write(to: folder.file(name + ".pem"))
            try key.publicKey.write(to: folder.file(name + ".pub"))
        }
    }

    func path(_ name: String) -> String { folder.file(name) }

    /// Writes a file that only its owner may read.
    @discardableResult
    func writeSecret(_ text: String, to name: String) throws -> String {
        let path = try folder.write(text, to: name)
        try allow(0o600, path)
        return path
    }

    func allow(_ mode: Int, _ path: String) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
}

/// The command `openssl`, a second reader and writer of keys.
enum OpenSSL {
    static let path = "/usr/bin/openssl"
    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: path) }

    /// Runs it, and returns its standard output; throws when it ends with a status other than 0.
    @discardableResult
    static func run(_ arguments: String...) throws -> Data {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw CocoaError(.executableLoad)
        }
        return data
    }
}
