internal import DataProcessing
internal import Keys

/// The form of encrypted frames.
enum EncryptionFormat: String {
    case sluice, pvapy

    /// RSA keys that users of PvaPy have may be smaller than those that are made today.
    var minimumBitCount: Int {
        self == .pvapy ? PrivateKey.minimumBitCountOfOldKeys : PrivateKey.minimumBitCount
    }
}

/// The settings that name keys, read.
struct KeySettings {
    static let privateKeyFilePath = Setting(
        "privateKeyFilePath", path: "",
        "Private key in PEM form, readable by its owner only: decrypts and signs.")
    static let publicKeyFilePath = Setting(
        "publicKeyFilePath", path: "",
        "Public key of the receiver, which encrypts; without it that of privateKeyFilePath.")
    static let passphraseFilePath = Setting(
        "passphraseFilePath", path: "",
        "File whose first line is the passphrase of the private keys; readable by its owner only.")
    static let olderPrivateKeyFilePaths = Setting(
        "olderPrivateKeyFilePaths", default: [] as [String],
        "Private keys that older frames were encrypted for; each frame names its own.")
    static let signerPublicKeyFilePath = Setting(
        "signerPublicKeyFilePath", path: "",
        "Public key of the sender, for `verify`; without it that of privateKeyFilePath.")
    static let sign = Setting(
        "sign", default: false,
        "Whether every frame is signed with privateKeyFilePath.")
    static let verify = Setting(
        "verify", default: false,
        "Whether frames without a valid signature fail.")
    static let replayFolder = Setting(
        "replayFolder", path: "",
        "Folder with an entry for every frame that was decrypted: one that comes again fails, in this "
            + "run and in every other that names the folder. Not for pvapy.")
    static let format = Setting(
        "format", default: "sluice", choices: ["sluice", "pvapy"],
        "Form of the encrypted frames: sluice, or pvapy for peers with PvaPy, which is weaker.")

    let configuration: Configuration
    let format: EncryptionFormat

    init(_ configuration: Configuration) {
        self.configuration = configuration
        format = EncryptionFormat(rawValue: configuration[Self.format]) ?? .sluice
    }

    private func path(_ setting: Setting<String>) -> String? {
        let path = configuration[setting]
        return path.isEmpty ? nil : path
    }

    private func passphrase() throws(KeyError) -> Passphrase? {
        guard let path = path(Self.passphraseFilePath) else { return nil }
        return try Passphrase(path: path)
    }

    private func privateKey(_ path: String) throws(KeyError) -> PrivateKey {
        try PrivateKey(
            path: path, passphrase: try passphrase(), minimumBitCount: format.minimumBitCount)
    }

    private func publicKey(_ path: String) throws(KeyError) -> PublicKey {
        try PublicKey(path: path, minimumBitCount: format.minimumBitCount)
    }

    /// Whom to encrypt for, and who signs.
    func encryption() throws -> (recipient: PublicKey, signer: PrivateKey?) {
        try checked { () throws(KeyError) in
            let own = try path(Self.privateKeyFilePath).map { path throws(KeyError) in
                try privateKey(path)
            }
            let other = try path(Self.publicKeyFilePath).map { path throws(KeyError) in
                try publicKey(path)
            }
            guard let recipient = other ?? own?.publicKey else {
                throw KeyError.badFile(
                    path: Self.publicKeyFilePath.name,
                    reason: "it, or privateKeyFilePath, has to be given")
            }
            let isSigning = configuration[Self.sign]
            guard own != nil || !isSigning else {
                throw KeyError.badFile(
                    path: Self.privateKeyFilePath.name, reason: "it has to be given for `sign`")
            }
            try check(recipient, isSigning ? own : nil)
            return (recipient, isSigning ? own : nil)
        }
    }

    /// Where decrypted frames are entered; nil: nowhere.
    func replayRegister(run: String) -> ReplayRegister? {
        path(Self.replayFolder).map { ReplayRegister(folder: $0, run: run) }
    }

    private func check(_ recipient: PublicKey, _ signer: PrivateKey?) throws(KeyError) {
        _ = try recipient.wrapping()
        _ = try signer?.signatureKind()
        guard format == .pvapy else { return }
        for key in [recipient, signer?.publicKey].compactMap(\.self) where key.kind != .rsa {
            throw .wrongKind(path: key.path, had: key.kind, purpose: "be used with PvaPy")
        }
    }

    /// The keys that open frames, the first in use, and who has to have signed them.
    func decryption() throws -> (keys: [PrivateKey], signer: PublicKey?) {
        try checked { () throws(KeyError) in
            guard let first = path(Self.privateKeyFilePath) else {
                throw KeyError.badFile(
                    path: Self.privateKeyFilePath.name, reason: "it has to be given")
            }
            var keys: [PrivateKey] = []
            for path in [first] + configuration[Self.olderPrivateKeyFilePaths] {
                let key = try privateKey(path)
                _ = try key.publicKey.wrapping()
                if format == .pvapy, key.kind != .rsa {
                    throw .wrongKind(path: path, had: key.kind, purpose: "be used with PvaPy")
                }
                keys.append(key)
            }
            guard format == .sluice || configuration[Self.replayFolder].isEmpty else {
                throw KeyError.badFile(
                    path: Self.replayFolder.name,
                    reason: "PvaPy's frames can't be told from copies; leave it out, or use the "
                        + "format sluice")
            }
            guard configuration[Self.verify] else { return (keys, nil) }
            let signer = try path(Self.signerPublicKeyFilePath).map { path throws(KeyError) in
                try publicKey(path)
            }
            let expected = signer ?? keys[0].publicKey
            guard expected.kind != .x25519 else {
                throw .wrongKind(
                    path: expected.path, had: .x25519,
                    purpose: "sign; name the sender's key in signerPublicKeyFilePath")
            }
            return (keys, expected)
        }
    }

    /// Key errors as those of a configuration: what a person who starts the run sees.
    private func checked<Result>(_ body: () throws(KeyError) -> Result) throws -> Result {
        do throws(KeyError) {
            return try body()
        } catch {
            throw ConfigurationError.refused(
                processor: configuration.processorName, key: Self.key(of: error),
                reason: error.description)
        }
    }

    private static func key(of error: KeyError) -> String {
        switch error {
        case .passphraseNeeded, .wrongPassphrase: passphraseFilePath.name
        default: privateKeyFilePath.name
        }
    }
}
