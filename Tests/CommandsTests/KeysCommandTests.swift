import Foundation
import Keys
import TestSupport
import Testing

@testable import Commands

@Suite(.timeLimit(.minutes(1))) struct KeysCommandTests {
    @Test(arguments: ["x25519", "ed25519", "rsa"])
    func `a key that is generated is one that is read, and is never replaced`(
        kind: String
    ) async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("key")
        let bits = kind == "rsa" ? ["--bits", "2048"] : []
        let arguments = ["keys", "generate", "--type", kind, path] + bits
        #expect(await SluiceProgram.run(arguments) == 0)
        let key = try PrivateKey(path: path)
        #expect(key.kind.rawValue == kind)
        #expect(try PublicKey(path: path + ".pub").id == key.publicKey.id)
        let before = try folder.bytes(of: "key")
        #expect(await SluiceProgram.run(arguments) == 2)
        try FileManager.default.removeItem(atPath: path + ".pub")
        #expect(await SluiceProgram.run(arguments) == 2)
        #expect(try folder.bytes(of: "key") == before)
        #expect(await SluiceProgram.run(["keys", "public", path]) == 0)
        #expect(await SluiceProgram.run(["keys", "show", path]) == 0)
    }

    @Test func `wrong uses and files end with status 2`() async throws {
        let folder = try TemporaryFolder()
        try folder.write("no key", to: "text")
        let wrong = [
            ["keys", "generate", "--type", "dsa", folder.file("a")],
            ["keys", "generate", "--type", "rsa", "--bits", "512", folder.file("a")],
            ["keys", "generate", "--bits", "4096", folder.file("a")],
            ["keys", "show", folder.file("missing")], ["keys", "show", folder.file("text")],
            ["keys", "public", folder.file("text")],
        ]
        for arguments in wrong { #expect(await SluiceProgram.run(arguments) == 2) }
        #expect(try folder.files() == ["text"])
    }
}
