public import Keys
internal import Wire

/// Why a frame could not be encrypted or decrypted. No text of it holds any part of a key or a pixel.
public enum EncryptionError: Error, Equatable, Sendable {
    /// The frame does not carry what a decryptor takes: bytes of this type.
    case notEncrypted(needed: String, had: String)
    /// The beginning of an encrypted frame can't be read.
    case damagedHeader(String)
    /// It was made by a later version.
    case unsupportedVersion(UInt16)
    /// The frame has fewer or more bytes than its header says.
    case wrongLength(needed: Int, had: Int)
    /// It was encrypted for a key that this decryptor does not have, named by its id.
    case unknownKey(id: String)
    /// The session key can't be unwrapped with the key that it names.
    case wrongKey(id: String)
    /// Part of the frame was changed, cut or exchanged on the way; `part` 0 describes the frame.
    case tampered(part: UInt64)
    /// Authentic, but not what a frame can be: made by another version, or on purpose.
    case badDescription(String)
    /// `verify` is on and the frame has no signature.
    case notSigned
    /// `verify` is on and the signature is not by the expected key, or of something else.
    case badSignature
    /// A frame or its attributes are larger than an encrypted frame may be.
    case tooLarge(what: String, limit: Int)
    /// The keys or their files do not serve.
    case key(KeyError)
    /// The object is not the one that PvaPy sends.
    case badObject(reason: String)
    /// PvaPy's object names another cipher than AES.
    case unsupportedCipher(String)
    /// A pickle holds an opcode, class or value that no PvaPy object has: it is not run.
    case refusedPickle(what: String, byteOffset: Int)
    /// A pickle ends early or contradicts itself.
    case badPickle(reason: String, byteOffset: Int)
    /// PvaPy has no form for this frame.
    case noPvaPyForm(String)
}

extension EncryptionError: CustomStringConvertible {
    /// One sentence: what is wrong and what to do.
    public var description: String {
        switch self {
        case .notEncrypted(let needed, let had):
            "the frame carries \(had), not an encrypted frame (\(needed)); "
                + "check the order of the processors and `format`"
        case .damagedHeader(let reason): "the encrypted frame can't be read: \(reason)"
        case .unsupportedVersion(let version):
            "the encrypted frame has version \(version); this program reads version "
                + "\(SealedHeader.version)"
        case .wrongLength(let needed, let had):
            "the encrypted frame has \(had) bytes and should have \(needed): it was "
                + (had < needed ? "cut" : "lengthened") + " on the way"
        case .unknownKey(let id):
            "it was encrypted for the key \(id), which is none of privateKeyFilePath and "
                + "olderPrivateKeyFilePaths"
        case .wrongKey(let id):
            "its session key can't be opened with the key \(id): it was changed on the way"
        case .tampered(0): "its description was changed on the way, or is that of another frame"
        case .tampered(let part): "part \(part) of its pixels was changed on the way"
        case .badDescription(let reason): "its description makes no frame: \(reason)"
        case .notSigned: "it is not signed, and `verify` is on"
        case .badSignature:
            "its signature is not by the expected key (signerPublicKeyFilePath), or the frame was "
                + "changed"
        case .tooLarge(let what, let limit): "\(what) has more than \(limit) bytes"
        case .key(let error): error.description
        case .badObject(let reason): "this is no object of PvaPy: \(reason)"
        case .unsupportedCipher(let name): "the cipher is '\(name)'; PvaPy has AES only"
        case .refusedPickle(let what, let byteOffset):
            "the pickle is refused and was not run: \(what) at byte \(byteOffset)"
        case .badPickle(let reason, let byteOffset):
            "the pickle can't be read: \(reason) at byte \(byteOffset); a wrong key and changed "
                + "data look like this, too"
        case .noPvaPyForm(let reason): "PvaPy has no form for this frame: \(reason)"
        }
    }
}
