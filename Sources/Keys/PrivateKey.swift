internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials
internal import SwiftASN1

/// A whole key: opens what was encrypted for it, and signs.
public struct PrivateKey: Sendable {
    enum Material: Sendable {
        case rsa(_RSA.Signing.PrivateKey)
        case x25519(Curve25519.KeyAgreement.PrivateKey)
        case ed25519(Curve25519.Signing.PrivateKey)
    }

    /// The fewest bits of an RSA key (NIST SP 800-131A).
    public static let minimumBitCount = 2048
    /// The fewest where a peer has such a key already.
    public static let minimumBitCountOfOldKeys = 1024

    let material: Material
    /// Where the key came from, for errors; empty for a new one.
    public let path: String
    /// The public half.
    public let publicKey: PublicKey

    init(_ material: Material, path: String) {
        self.material = material
        self.path = path
        let half: PublicKey.Material =
            switch material {
            case .rsa(let key): .rsa(key.publicKey)
            case .x25519(let key): .x25519(key.publicKey)
            case .ed25519(let key): .ed25519(key.publicKey)
            }
        publicKey = PublicKey(half, path: path)
    }

    /// A new key; `bitCount` is for RSA.
    ///
    /// - Throws: `KeyError.wrongSize` for an RSA key below 2048 bits or above 16 384.
    public init(generating kind: KeyKind, bitCount: Int = 3072) throws(KeyError) {
        switch kind {
        case .x25519: self.init(.x25519(.init()), path: "")
        case .ed25519: self.init(.ed25519(.init()), path: "")
        case .rsa:
            guard (Self.minimumBitCount...16_384).contains(bitCount), bitCount % 256 == 0 else {
                throw .wrongSize(
                    path: "the new key", bitCount: bitCount, minimum: Self.minimumBitCount)
            }
            do {
                self.init(.rsa(try .init(keySize: .init(bitCount: bitCount))), path: "")
            } catch {
                throw .operationFailed("making an RSA key")
            }
        }
    }

    /// Reads a private key that nobody else may read: `RSA PRIVATE KEY`, `PRIVATE KEY`,
    /// `ENCRYPTED PRIVATE KEY`.
    ///
    /// - Throws: `KeyError`, also for an RSA key below `minimumBitCount`.
    public init(
        path: String, passphrase: Passphrase? = nil, minimumBitCount: Int = minimumBitCount
    ) throws(KeyError) {
        var contents = try SecretFile.read(path, isSecret: true)
        defer { SecretFile.wipe(&contents) }
        let document = try KeyDocument(contents, path: path)
        if document.isProtectedByHeader {
            guard let passphrase else { throw .passphraseNeeded(path: path) }
            self = try Self.oldProtected(document, passphrase, minimumBitCount)
            return
        }
        switch document.label {
        case "RSA PRIVATE KEY": self = try Self.rsa(document.bytes, path, minimumBitCount)
        case "PRIVATE KEY": self = try Self.plain(document, minimumBitCount)
        case "ENCRYPTED PRIVATE KEY":
            guard let passphrase else { throw .passphraseNeeded(path: path) }
            var bytes = try PasswordBasedEncryption.open(
                document.bytes, passphrase: passphrase, path: path)
            defer { SecretFile.wipe(&bytes) }
            let pem = PEMDocument(type: "PRIVATE KEY", derBytes: bytes).pemString
            self = try Self.plain(try KeyDocument(Array(pem.utf8), path: path), minimumBitCount)
        case let label where label.hasSuffix("PUBLIC KEY"):
            throw .notAKey(path: path, reason: "it is a public key; a private one is needed")
        case let label: throw .notAKey(path: path, reason: "it holds a \(label)")
        }
    }

    private static func plain(_ document: KeyDocument, _ minimum: Int) throws(KeyError) -> Self {
        switch try document.privateKind() {
        case .rsa: return try rsa(document.bytes, document.path, minimum)
        case .x25519:
            do {
                let key = try Curve25519.KeyAgreement.PrivateKey(derRepresentation: document.bytes)
                return Self(.x25519(key), path: document.path)
            } catch {
                throw .notAKey(path: document.path, reason: "its X25519 key can't be read")
            }
        case .ed25519:
            do {
                let key = try Curve25519.Signing.PrivateKey(derRepresentation: document.bytes)
                return Self(.ed25519(key), path: document.path)
            } catch {
                throw .notAKey(path: document.path, reason: "its Ed25519 key can't be read")
            }
        }
    }

    private static func rsa(
        _ bytes: [UInt8], _ path: String, _ minimum: Int
    ) throws(KeyError) -> Self {
        do {
            let key = try _RSA.Signing.PrivateKey(unsafeDERRepresentation: bytes)
            return try checked(key, path, minimum)
        } catch CryptoKitError.incorrectParameterSize {
            throw .wrongSize(path: path, bitCount: 0, minimum: minimum)
        } catch let error as KeyError {
            throw error
        } catch {
            throw .notAKey(path: path, reason: "its RSA key can't be read")
        }
    }

    private static func oldProtected(
        _ document: KeyDocument, _ passphrase: Passphrase, _ minimum: Int
    ) throws(KeyError) -> Self {
        let key: _RSA.Signing.PrivateKey
        do {
            key = try .init(encryptedPEMRepresentation: document.text) { setPassphrase in
                setPassphrase(passphrase.bytes)
            }
        } catch {
            throw .wrongPassphrase(path: document.path)
        }
        return try checked(key, document.path, minimum)
    }

    private static func checked(
        _ key: _RSA.Signing.PrivateKey, _ path: String, _ minimum: Int
    ) throws(KeyError) -> Self {
        guard key.keySizeInBits >= minimum, key.keySizeInBits % 8 == 0 else {
            throw .wrongSize(path: path, bitCount: key.keySizeInBits, minimum: minimum)
        }
        return Self(.rsa(key), path: path)
    }

    /// What it can be used for.
    public var kind: KeyKind { publicKey.kind }

    /// Writes the key into a new file that only this user may read, protected where a passphrase is
    /// given. RSA keys without one are written as PKCS #1, which PvaPy reads; all others as PKCS #8.
    ///
    /// - Throws: `KeyError.refused`, for example when there is such a file.
    public func write(to path: String, passphrase: Passphrase? = nil) throws(KeyError) {
        var text = Array(try pemText(passphrase).utf8)
        defer { SecretFile.wipe(&text) }
        try SecretFile.write(text, to: path, isSecret: true)
    }

    private func pemText(_ passphrase: Passphrase?) throws(KeyError) -> String {
        if let passphrase {
            let bytes = try PasswordBasedEncryption.seal(encoded, passphrase: passphrase)
            return PEMDocument(type: "ENCRYPTED PRIVATE KEY", derBytes: bytes).pemString + "\n"
        }
        if case .rsa(let key) = material {
            let bytes = [UInt8](key.derRepresentation)
            return PEMDocument(type: "RSA PRIVATE KEY", derBytes: bytes).pemString + "\n"
        }
        return PEMDocument(type: "PRIVATE KEY", derBytes: encoded).pemString + "\n"
    }

    /// The key as PKCS #8 (RFC 5208).
    private var encoded: [UInt8] {
        switch material {
        case .rsa(let key): [UInt8](key.pkcs8DERRepresentation)
        case .x25519(let key): [UInt8](key.derRepresentation)
        case .ed25519(let key): [UInt8](key.derRepresentation)
        }
    }
}
