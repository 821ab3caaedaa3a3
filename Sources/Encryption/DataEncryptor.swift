public import DataProcessing
internal import Keys

/// Encrypts frames of any kind for the owner of a key, and hands them on as bytes.
///
/// Attributes and time stamp are part of what is encrypted, and are no longer beside it; the ids stay
/// readable.
open class DataEncryptor: UserDataProcessor {
    /// One sentence for people.
    open override class var summary: String { "Encrypts frames for the owner of a key." }
    /// The settings.
    open override class var settings: [any SettingDeclaration] {
        [
            KeySettings.privateKeyFilePath, KeySettings.publicKeyFilePath,
            KeySettings.passphraseFilePath, KeySettings.sign, KeySettings.format,
        ]
    }

    private enum Method {
        case sluice(FrameSealer)
        case pvapy(recipient: PublicKey, signer: PrivateKey?)
    }

    private var method: Method?
    private var hasWarned = false
    private var statistics = CryptographyStatistics(
        countKey: "nEncrypted", description: "Frames encrypted")

    /// Bytes.
    open override func getOutputType() -> PayloadKind? { .bytes }

    /// Reads the keys and says whether they serve.
    open override func validate(_ configuration: Configuration) throws {
        _ = try KeySettings(configuration).encryption()
    }

    /// Reads the keys, and makes a new session key.
    open override func configure(_ configuration: Configuration) throws {
        let settings = KeySettings(configuration)
        let (recipient, signer) = try settings.encryption()
        switch settings.format {
        case .sluice:
            method = .sluice(
                try FrameSealer(for: recipient, signer: signer, run: runName))
        case .pvapy:
            method = .pvapy(recipient: recipient, signer: signer)
            warnOfPvaPy(&hasWarned)
        }
    }

    /// Encrypts the frame.
    open override func process(_ frame: Frame) throws -> Frame? {
        guard method != nil else {
            throw ProcessingError.noPipeline(operation: "DataEncryptor.process")
        }
        try statistics.record {
            switch method {
            case .sluice(var sealer):
                // Taken out, so that it is changed in its place and not in a copy.
                method = nil
                defer { method = .sluice(sealer) }
                try sealer.seal(frame)
            case .pvapy(let recipient, let signer):
                try PvaPyCipher.seal(
                    frame, objectId: try objectId(of: frame), for: recipient, signer: signer)
            case nil: break
            }
        }
        return frame
    }

    /// Back to zero.
    open override func resetStats() { statistics.reset() }
    /// The ancestor's three, and how many frames failed here.
    open override func getStats() -> [String: StatisticValue] { statistics.values }
    /// What the statistics are.
    open override func getStatsTypes() -> [StatisticDeclaration] { statistics.declarations }
}

extension UserDataProcessor {
    /// Says once in a stage that frames in PvaPy's form are not well protected.
    func warnOfPvaPy(_ hasWarned: inout Bool) {
        guard isFirstWorker, !hasWarned else { return }
        hasWarned = true
        logger.warning(
            """
            The format pvapy is weak: changed data is not noticed unless frames are signed and \
            verified, sender and receiver share one private key, and SHA-1 and PKCS #1 v1.5 are out \
            of date; use the format sluice where both ends can
            """)
    }

    /// The id that PvaPy's object carries: of the configured field, which has to be a whole number.
    func objectId(of frame: Frame) throws -> UInt64 {
        guard objectIdField != "uniqueId" else { return frame.uniqueId }
        guard let value = frame.attributes[objectIdField]?.value?.int64Value,
            let id = UInt64(exactly: value)
        else {
            throw ProcessingError.badInput(
                "frame \(frame.uniqueId)",
                reason: "its attribute \(objectIdField), the object id, is no whole number")
        }
        return id
    }
}

/// Encrypts images for the owner of a key.
open class AdImageDataEncryptor: DataEncryptor {
    /// One sentence for people.
    open override class var summary: String { "Encrypts images for the owner of a key." }
    /// Images.
    open override func getInputType() -> PayloadKind? { .image }
}
