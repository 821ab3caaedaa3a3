import Crypto
import Foundation
import Keys
import TestSupport
import Testing

@Suite struct KeyTests {
    @Test(arguments: KeyKind.allCases)
    func `a key that was written is read again, protected or not`(kind: KeyKind) throws {
        let keys = try TestKeys()
        let passphrase = try Passphrase(
            path: try keys.writeSecret("correct horse\nsecond line\n", to: "passphrase"))
        let key = try PrivateKey(generating: kind, bitCount: 2048)
        try key.write(to: keys.path("plain"))
        try key.write(to: keys.path("protected"), passphrase: passphrase)
        try key.publicKey.write(to: keys.path("public"))
        #expect(try PrivateKey(path: keys.path("plain")).publicKey.id == key.publicKey.id)
        let opened = try PrivateKey(path: keys.path("protected"), passphrase: passphrase)
        #expect(opened.publicKey.id == key.publicKey.id)
        #expect(opened.kind == kind)
        #expect(try PublicKey(path: keys.path("public")).id == key.publicKey.id)
        #expect(try PublicKey(path: keys.path("plain")).id == key.publicKey.id)
        let mode =
            try FileManager.default.attributesOfItem(atPath: keys.path("plain"))[
                .posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(throws: KeyError.passphraseNeeded(path: keys.path("protected"))) {
            try PrivateKey(path: keys.path("protected"))
        }
        let wrong = try Passphrase(path: try keys.writeSecret("wrong", to: "wrong"))
        #expect(throws: KeyError.wrongPassphrase(path: keys.path("protected"))) {
            try PrivateKey(path: keys.path("protected"), passphrase: wrong)
        }
        #expect(throws: KeyError.refused(operation: "making", path: keys.path("plain"), errno: 17))
        {
            try key.write(to: keys.path("plain"))
        }
    }

    @Test(arguments: [0o644, 0o640, 0o604, 0o602, 0o620, 0o660])
    func `a private key that others may read or write is refused`(mode: Int) throws {
        let keys = try TestKeys()
        try keys.allow(mode, keys.path("rsa.pem"))
        #expect(
            throws: KeyError.openToOthers(path: keys.path("rsa.pem"), mode: UInt32(mode))
        ) { try PrivateKey(path: keys.path("rsa.pem")) }
        try keys.allow(mode, keys.path("x.pem"))
        #expect(throws: KeyError.openToOthers(path: keys.path("x.pem"), mode: UInt32(mode))) {
            try Passphrase(path: keys.path("x.pem"))
        }
        // Also where only the public half of it is wanted.
        #expect(throws: KeyError.self) { try PublicKey(path: keys.path("rsa.pem")) }
    }

    @Test(arguments: [0o666, 0o646])
    func `a public key that everybody may change is refused`(mode: Int) throws {
        let keys = try TestKeys()
        try keys.allow(mode, keys.path("x.pub"))
        let error = #expect(throws: KeyError.self) { try PublicKey(path: keys.path("x.pub")) }
        #expect("\(error, default: "")".contains("put another key in its place"))
        try keys.allow(0o664, keys.path("x.pub"))
        #expect(throws: Never.self) { try PublicKey(path: keys.path("x.pub")) }
    }

    @Test func `what is no key is refused with a sentence that says so`() throws {
        let keys = try TestKeys()
        for (text, part) in [
            ("", "not a PEM file"), ("hello\n", "not a PEM file"),
            ("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2", "it is cut"),
            ("-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----\n", "not a PEM file"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "CERTIFICATE"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
                "can't be read"
            ),
        ] {
            let path = try keys.writeSecret(text, to: "no-key")
            let error = #expect(throws: KeyError.self) { try PrivateKey(path: path) }
            #expect("\(error, default: "")".contains(part), "\(text)")
        }
        #expect(throws: KeyError.self) { try PrivateKey(path: keys.path("rsa.pub")) }
        #expect(throws: KeyError.self) { try PrivateKey(path: keys.path("missing")) }
        #expect(throws: KeyError.self) { try PrivateKey(path: keys.folder.path) }
        let large = try keys.writeSecret(String(repeating: "x", count: 70_000), to: "large")
        #expect(throws: KeyError.self) { try PrivateKey(path: large) }
    }

    @Test func `seeded damage of a key file never crashes`() throws {
        let keys = try TestKeys()
        let passphrase = try Passphrase(path: try keys.writeSecret("p", to: "p"))
        let protected = """
            -----BEGIN ENCRYPTED PRIVATE KEY-----
            MIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBCFlWRrUJ0p9bSwsK7O
            """
        var numbers = SeededNumbers(seed: 5)
        for name in ["rsa.pem", "x.pem", "ed.pem"] {
            let bytes = try keys.folder.bytes(of: name)
            for _ in 0..<200 {
                var damaged = bytes
                let place = Int(numbers.next() % UInt64(bytes.count))
                damaged[place] = UInt8(truncatingIfNeeded: numbers.next())
                let path = try keys.folder.write(damaged, to: "damaged")
                try keys.allow(0o600, path)
                do { _ = try PrivateKey(path: path) } catch { #expect(!error.description.isEmpty) }
            }
        }
        let path = try keys.writeSecret(protected, to: "cut")
        #expect(throws: KeyError.self) { try PrivateKey(path: path, passphrase: passphrase) }
    }

    @Test(.enabled(if: OpenSSL.isThere), .timeLimit(.minutes(1)))
    func `openssl's keys are read, and openssl reads ours`() throws {
        let keys = try TestKeys()
        let passphrasePath = try keys.writeSecret("secret", to: "passphrase")
        let passphrase = try Passphrase(path: passphrasePath)
        for (name, algorithm) in [("rsa", "RSA"), ("x", "X25519"), ("ed", "ED25519")] {
            let path = keys.path("openssl-\(name)")
            try OpenSSL.run(
                "genpkey", "-algorithm", algorithm, "-aes-256-cbc", "-pass",
                "file:\(passphrasePath)", "-out", path)
            try keys.allow(0o600, path)
            let key = try PrivateKey(path: path, passphrase: passphrase)
            let subject = try OpenSSL.run(
                "pkey", "-in", path, "-passin", "file:\(passphrasePath)", "-pubout", "-outform",
                "DER")
            #expect(key.publicKey.id == Array(SHA256.hash(data: subject).prefix(16)))
            let ours = keys.path("ours-\(name)")
            try key.write(to: ours, passphrase: passphrase)
            let again = try OpenSSL.run(
                "pkey", "-in", ours, "-passin", "file:\(passphrasePath)", "-pubout", "-outform",
                "DER")
            #expect(again == subject)
        }
        // The form of before PKCS #8, which PvaPy's users may have.
        let old = keys.path("old")
        try OpenSSL.run(
            "rsa", "-in", keys.path("rsa.pem"), "-traditional", "-aes128", "-passout",
            "file:\(passphrasePath)", "-out", old)
        try keys.allow(0o600, old)
        let key = try PrivateKey(path: old, passphrase: passphrase)
        #expect(key.publicKey.id == (try PublicKey(path: keys.path("rsa.pub")).id))
        #expect(throws: KeyError.passphraseNeeded(path: old)) { try PrivateKey(path: old) }
    }

    @Test(.enabled(if: OpenSSL.isThere))
    func `an RSA key that is too small is refused with its size`() throws {
        let keys = try TestKeys()
        let path = keys.path("small")
        try OpenSSL.run("genrsa", "-traditional", "-out", path, "1024")
        try keys.allow(0o600, path)
        #expect(throws: KeyError.wrongSize(path: path, bitCount: 1024, minimum: 2048)) {
            try PrivateKey(path: path)
        }
        let old = try PrivateKey(
            path: path, minimumBitCount: PrivateKey.minimumBitCountOfOldKeys)
        #expect(old.publicKey.bitCount == 1024)
        #expect(throws: KeyError.self) { try PrivateKey(generating: .rsa, bitCount: 1024) }
    }

    @Test func `a wrapped session key opens with its key alone`() throws {
        let sessionKey = SymmetricKey(size: .bits256)
        for kind in [KeyKind.rsa, .x25519] {
            let key = try PrivateKey(generating: kind, bitCount: 2048)
            let other = try PrivateKey(generating: kind, bitCount: 2048)
            let wrapped = try key.publicKey.wrap(sessionKey)
            let wrapping = try key.publicKey.wrapping()
            #expect(try UnwrappingKey(key).unwrap(wrapped, wrapping) == sessionKey)
            #expect(throws: KeyError.notForThisKey) {
                try UnwrappingKey(other).unwrap(wrapped, wrapping)
            }
            for place in [0, wrapped.count / 2, wrapped.count - 1] {
                var changed = wrapped
                changed[place] ^= 1
                #expect(throws: KeyError.notForThisKey) {
                    try UnwrappingKey(key).unwrap(changed, wrapping)
                }
            }
            #expect(throws: KeyError.notForThisKey) {
                try UnwrappingKey(key).unwrap([], wrapping)
            }
        }
        let signing = try PrivateKey(generating: .ed25519)
        #expect(throws: KeyError.self) { try signing.publicKey.wrap(sessionKey) }
        #expect(throws: KeyError.self) { try UnwrappingKey(signing) }
    }
}
