internal import CLinux

/// Why a key or its file does not serve. No text of it holds any part of a key.
public enum KeyError: Error, Equatable, Sendable {
    /// The operating system refused to read or write the file.
    case refused(operation: String, path: String, errno: Int32)
    /// A private key or a passphrase that others than its owner may read or write; `mode` has the
    /// permission bits.
    case openToOthers(path: String, mode: UInt32)
    /// The file is not an ordinary one, belongs to somebody else, or is larger than a key can be.
    case badFile(path: String, reason: String)
    /// The text holds no key that can be used.
    case notAKey(path: String, reason: String)
    /// The key is protected and no passphrase was given.
    case passphraseNeeded(path: String)
    /// The passphrase does not open the key.
    case wrongPassphrase(path: String)
    /// An RSA key with fewer bits than `minimum`, or a number of bits that is no multiple of 8.
    case wrongSize(path: String, bitCount: Int, minimum: Int)
    /// The key is of a kind that can't do what it is wanted for.
    case wrongKind(path: String, had: KeyKind, purpose: String)
    /// The bytes of a wrapped key were not made for this key, or have been changed.
    case notForThisKey
    /// The cryptographic library refused for another reason.
    case operationFailed(String)
}

extension KeyError: CustomStringConvertible {
    /// One sentence: what is wrong, with which file, and what to do.
    public var description: String {
        switch self {
        case .refused(let operation, let path, let errno):
            "\(operation) \(path) failed: \(Self.text(of: errno))"
        case .openToOthers(let path, let mode):
            "\(path) may be read or written by others (mode \(String(mode, radix: 8))); "
                + "make it your own with chmod 600, and a new key if others may have read it"
        case .badFile(let path, let reason): "\(path): \(reason)"
        case .notAKey(let path, let reason): "\(path) holds no key that can be used: \(reason)"
        case .passphraseNeeded(let path):
            "\(path) is protected by a passphrase; name a file that holds it (passphraseFilePath)"
        case .wrongPassphrase(let path): "the passphrase does not open \(path)"
        case .wrongSize(let path, let bitCount, let minimum):
            "\(path) is an RSA key of \(bitCount) bits; it takes at least \(minimum), and a "
                + "multiple of 8"
        case .wrongKind(let path, let had, let purpose):
            "\(path) is \(had.phrase), which can't \(purpose)"
        case .notForThisKey: "it was not encrypted for this key, or has been changed"
        case .operationFailed(let what): "\(what) failed in the cryptographic library"
        }
    }

    private static func text(of errno: Int32) -> String {
        cl_error_text(errno).map { String(cString: $0) } ?? "errno \(errno)"
    }
}

/// What a key can be used for.
public enum KeyKind: String, Sendable, Hashable, CaseIterable {
    /// RSA: encrypts and signs; what PvaPy has.
    case rsa
    /// X25519 (RFC 7748): encrypts only; small and fast.
    case x25519
    /// Ed25519 (RFC 8032): signs only; small and fast.
    case ed25519

    /// The kind with its article, for people.
    var phrase: String {
        switch self {
        case .rsa: "an RSA key"
        case .x25519: "an X25519 key"
        case .ed25519: "an Ed25519 key"
        }
    }
}
