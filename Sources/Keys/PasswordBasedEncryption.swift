internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials
internal import SwiftASN1

/// PKCS #8 keys that are encrypted with a passphrase: PBES2 of RFC 8018 with PBKDF2 and AES-CBC, which is
/// what `openssl genpkey -aes-256-cbc` writes and reads.
enum PasswordBasedEncryption {
    /// Rounds of PBKDF2 with SHA-256 for new files (OWASP Password Storage Cheat Sheet, 2023).
    static let roundCount = 600_000
    /// Rounds that a file may ask for at most: some ten seconds; more is there to keep us busy.
    static let maximumRoundCount = 20_000_000

    private enum Identifier {
        static let pbes2: ASN1ObjectIdentifier = "1.2.840.113549.1.5.13"
        static let pbkdf2: ASN1ObjectIdentifier = "1.2.840.113549.1.5.12"
        static let hmacSHA1: ASN1ObjectIdentifier = "1.2.840.113549.2.7"
        static let hmacSHA256: ASN1ObjectIdentifier = "1.2.840.113549.2.9"
        static let hmacSHA384: ASN1ObjectIdentifier = "1.2.840.113549.2.10"
        static let hmacSHA512: ASN1ObjectIdentifier = "1.2.840.113549.2.11"
        static let aes128: ASN1ObjectIdentifier = "2.16.840.1.101.3.4.1.2"
        static let aes192: ASN1ObjectIdentifier = "2.16.840.1.101.3.4.1.22"
        static let aes256: ASN1ObjectIdentifier = "2.16.840.1.101.3.4.1.42"
    }

    /// What stands before the encrypted key.
    private struct Parameters {
        var salt: ArraySlice<UInt8>
        var roundCount: Int
        var function: KDF.Insecure.PBKDF2.HashFunction
        var keyByteCount: Int
        var initialVector: ArraySlice<UInt8>
    }

    /// The PKCS #8 key in `bytes`, an EncryptedPrivateKeyInfo; `path` is for errors.
    static func open(
        _ bytes: [UInt8], passphrase: Passphrase, path: String
    ) throws(KeyError) -> [UInt8] {
        let (parameters, ciphertext) = try read(bytes, path: path)
        do {
            let key = try KDF.Insecure.PBKDF2.deriveKey(
                from: passphrase.bytes, salt: parameters.salt, using: parameters.function,
                outputByteCount: parameters.keyByteCount,
                unsafeUncheckedRounds: parameters.roundCount)
            let vector = try AES._CBC.IV(ivBytes: parameters.initialVector)
            let plain = [UInt8](try AES._CBC.decrypt(ciphertext, using: key, iv: vector))
            // A wrong passphrase has padding that fits once in 256 times; then this is no DER.
            _ = try DER.parse(plain)
            return plain
        } catch {
            throw .wrongPassphrase(path: path)
        }
    }

    /// `bytes`, a PKCS #8 key, encrypted with a passphrase.
    static func seal(_ bytes: [UInt8], passphrase: Passphrase) throws(KeyError) -> [UInt8] {
        let salt = randomBytes(16)
        let vectorBytes = randomBytes(16)
        do {
            let key = try KDF.Insecure.PBKDF2.deriveKey(
                from: passphrase.bytes, salt: salt, using: .sha256, outputByteCount: 32,
                rounds: roundCount)
            let vector = try AES._CBC.IV(ivBytes: vectorBytes)
            let ciphertext = [UInt8](try AES._CBC.encrypt(bytes, using: key, iv: vector))
            var serializer = DER.Serializer()
            try serializer.appendConstructedNode(identifier: .sequence) { outer in
                try outer.appendConstructedNode(identifier: .sequence) { algorithm in
                    try algorithm.serialize(Identifier.pbes2)
                    try algorithm.appendConstructedNode(identifier: .sequence) { both in
                        try write(derivation: salt, to: &both)
                        try both.appendConstructedNode(identifier: .sequence) { scheme in
                            try scheme.serialize(Identifier.aes256)
                            try scheme.serialize(ASN1OctetString(contentBytes: vectorBytes[...]))
                        }
                    }
                }
                try outer.serialize(ASN1OctetString(contentBytes: ciphertext[...]))
            }
            return serializer.serializedBytes
        } catch {
            throw .operationFailed("protecting the key with the passphrase")
        }
    }

    private static func write(derivation salt: [UInt8], to coder: inout DER.Serializer) throws {
        try coder.appendConstructedNode(identifier: .sequence) { function in
            try function.serialize(Identifier.pbkdf2)
            try function.appendConstructedNode(identifier: .sequence) { parameters in
                try parameters.serialize(ASN1OctetString(contentBytes: salt[...]))
                try parameters.serialize(roundCount)
                try parameters.appendConstructedNode(identifier: .sequence) { hash in
                    try hash.serialize(Identifier.hmacSHA256)
                    try hash.serialize(ASN1Null())
                }
            }
        }
    }

    private static func read(
        _ bytes: [UInt8], path: String
    ) throws(KeyError) -> (Parameters, ArraySlice<UInt8>) {
        do {
            return try DER.sequence(try DER.parse(bytes), identifier: .sequence) { outer in
                let algorithm = try next(&outer)
                let parameters = try DER.sequence(algorithm, identifier: .sequence) { nodes in
                    let scheme = try ASN1ObjectIdentifier(derEncoded: &nodes)
                    guard scheme == Identifier.pbes2 else {
                        throw unsupported("the scheme \(scheme)", path)
                    }
                    return try readParameters(try next(&nodes), path: path)
                }
                let ciphertext = try ASN1OctetString(derEncoded: &outer)
                return (parameters, ciphertext.bytes)
            }
        } catch let error as KeyError {
            throw error
        } catch {
            throw .notAKey(path: path, reason: "its protection can't be read")
        }
    }

    private static func readParameters(_ node: ASN1Node, path: String) throws -> Parameters {
        try DER.sequence(node, identifier: .sequence) { both in
            var parameters = try DER.sequence(try next(&both), identifier: .sequence) { nodes in
                let function = try ASN1ObjectIdentifier(derEncoded: &nodes)
                guard function == Identifier.pbkdf2 else {
                    throw unsupported("the key derivation \(function)", path)
                }
                return try readDerivation(try next(&nodes), path: path)
            }
            try DER.sequence(try next(&both), identifier: .sequence) { nodes in
                let cipher = try ASN1ObjectIdentifier(derEncoded: &nodes)
                switch cipher {
                case Identifier.aes128: parameters.keyByteCount = 16
                case Identifier.aes192: parameters.keyByteCount = 24
                case Identifier.aes256: parameters.keyByteCount = 32
                default: throw unsupported("the cipher \(cipher)", path)
                }
                parameters.initialVector = try ASN1OctetString(derEncoded: &nodes).bytes
            }
            return parameters
        }
    }

    private static func readDerivation(_ node: ASN1Node, path: String) throws -> Parameters {
        try DER.sequence(node, identifier: .sequence) { nodes in
            let salt = try ASN1OctetString(derEncoded: &nodes).bytes
            let roundCount = try Int(derEncoded: &nodes)
            guard (1...maximumRoundCount).contains(roundCount) else {
                throw unsupported("\(roundCount) rounds", path)
            }
            var function = KDF.Insecure.PBKDF2.HashFunction.insecureSHA1
            while let node = nodes.next() {
                // The length of the key, an INTEGER, may stand before it; the cipher says it, too.
                guard node.identifier == .sequence else { continue }
                function = try DER.sequence(node, identifier: .sequence) { parts in
                    let identifier = try ASN1ObjectIdentifier(derEncoded: &parts)
                    while parts.next() != nil {}
                    return try hashFunction(identifier, path: path)
                }
            }
            return Parameters(
                salt: salt, roundCount: roundCount, function: function, keyByteCount: 0,
                initialVector: [])
        }
    }

    private static func hashFunction(
        _ identifier: ASN1ObjectIdentifier, path: String
    ) throws(KeyError) -> KDF.Insecure.PBKDF2.HashFunction {
        switch identifier {
        case Identifier.hmacSHA1: return .insecureSHA1
        case Identifier.hmacSHA256: return .sha256
        case Identifier.hmacSHA384: return .sha384
        case Identifier.hmacSHA512: return .sha512
        default: throw unsupported("the hash \(identifier)", path)
        }
    }

    private static func next(_ nodes: inout ASN1NodeCollection.Iterator) throws -> ASN1Node {
        guard let node = nodes.next() else { throw ASN1Error.truncated }
        return node
    }

    private static func unsupported(_ what: String, _ path: String) -> KeyError {
        .notAKey(
            path: path,
            reason: "its protection uses \(what); protect it with `openssl pkcs8 -topk8 -v2 "
                + "aes-256-cbc` instead")
    }

    private enum ASN1Error: Error { case truncated }
}

/// `count` bytes of the system's random numbers.
func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}
