internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials
internal import SwiftASN1

/// The public half of a key: encrypts for its owner, and checks the owner's signatures.
public struct PublicKey: Sendable {
    enum Material: Sendable {
        case rsa(_RSA.Signing.PublicKey)
        case x25519(Curve25519.KeyAgreement.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
    }

    /// Bytes of a key id.
    public static let idByteCount = 16

    let material: Material
    /// Where the key came from, for errors.
    public let path: String
    /// The first 16 bytes of the SHA-256 of the key's SubjectPublicKeyInfo (RFC 5280): the same for
    /// everybody who has the key, whatever the file looks like.
    public let id: [UInt8]

    init(_ material: Material, path: String) {
        self.material = material
        self.path = path
        id = Array(SHA256.hash(data: Self.encoded(material)).prefix(Self.idByteCount))
    }

    /// Reads a public key: `PUBLIC KEY` or `RSA PUBLIC KEY`; of an unprotected private key the public
    /// half is taken.
    ///
    /// - Throws: `KeyError`, also for an RSA key below `minimumBitCount`.
    public init(
        path: String, minimumBitCount: Int = PrivateKey.minimumBitCount
    ) throws(KeyError) {
        let bytes = try SecretFile.read(path, isSecret: false)
        let document = try KeyDocument(bytes, path: path)
        switch document.label {
        case "PUBLIC KEY": try self.init(subject: document, path, minimumBitCount)
        case "RSA PUBLIC KEY": try self.init(rsa: document, path, minimumBitCount)
        default:
            guard document.label.hasSuffix("PRIVATE KEY") else {
                throw .notAKey(path: path, reason: "it holds a \(document.label)")
            }
            // A file that says that it is private is treated as one.
            self = try PrivateKey(path: path, minimumBitCount: minimumBitCount).publicKey
        }
    }

    /// Whether a file says that it holds a private key, of whatever kind.
    ///
    /// - Throws: `KeyError` when it can't be read or is no PEM file.
    public static func isPrivate(path: String) throws(KeyError) -> Bool {
        var bytes = try SecretFile.read(path, isSecret: false)
        defer { SecretFile.wipe(&bytes) }
        return try KeyDocument(bytes, path: path).label.hasSuffix("PRIVATE KEY")
    }

    private init(subject: KeyDocument, _ path: String, _ minimum: Int) throws(KeyError) {
        switch try subject.publicKind() {
        case .rsa: try self.init(rsa: subject, path, minimum)
        case .x25519:
            do {
                self.init(.x25519(try .init(derRepresentation: subject.bytes)), path: path)
            } catch {
                throw .notAKey(path: path, reason: "its X25519 key can't be read")
            }
        case .ed25519:
            do {
                self.init(.ed25519(try .init(derRepresentation: subject.bytes)), path: path)
            } catch {
                throw .notAKey(path: path, reason: "its Ed25519 key can't be read")
            }
        }
    }

    private init(rsa document: KeyDocument, _ path: String, _ minimum: Int) throws(KeyError) {
        let key: _RSA.Signing.PublicKey
        do {
            key = try .init(unsafeDERRepresentation: document.bytes)
        } catch CryptoKitError.incorrectParameterSize {
            throw .wrongSize(path: path, bitCount: 0, minimum: minimum)
        } catch {
            throw .notAKey(path: path, reason: "its RSA key can't be read")
        }
        guard key.keySizeInBits >= minimum, key.keySizeInBits % 8 == 0 else {
            throw .wrongSize(path: path, bitCount: key.keySizeInBits, minimum: minimum)
        }
        self.init(.rsa(key), path: path)
    }

    /// What it can be used for.
    public var kind: KeyKind {
        switch material {
        case .rsa: .rsa
        case .x25519: .x25519
        case .ed25519: .ed25519
        }
    }

    /// Bits of an RSA key; nil for the others, which have one size.
    public var bitCount: Int? {
        guard case .rsa(let key) = material else { return nil }
        return key.keySizeInBits
    }

    /// The id in hexadecimal digits.
    public var idText: String { KeyText.hexadecimal(id) }

    /// The key as a PEM file.
    public var pemText: String {
        PEMDocument(type: "PUBLIC KEY", derBytes: Self.encoded(material)).pemString + "\n"
    }

    /// Writes the key into a new file that everybody may read.
    ///
    /// - Throws: `KeyError.refused`, for example when there is such a file.
    public func write(to path: String) throws(KeyError) {
        try SecretFile.write(Array(pemText.utf8), to: path, isSecret: false)
    }

    private static func encoded(_ material: Material) -> [UInt8] {
        switch material {
        case .rsa(let key): [UInt8](key.derRepresentation)
        case .x25519(let key): [UInt8](key.derRepresentation)
        case .ed25519(let key): [UInt8](key.derRepresentation)
        }
    }
}

/// Texts about keys.
public enum KeyText {
    /// Bytes as lower-case hexadecimal digits.
    public static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
