public import DataProcessing
internal import Keys

/// Decrypts frames that a `DataEncryptor` of Sluice or of PvaPy has encrypted.
///
/// A frame comes back whole or it fails, with the reason.
open class DataDecryptor: UserDataProcessor {
    /// One sentence for people.
    open override class var summary: String { "Decrypts frames that were encrypted for a key." }
    /// The settings.
    open override class var settings: [any SettingDeclaration] {
        [
            KeySettings.privateKeyFilePath, KeySettings.passphraseFilePath,
            KeySettings.olderPrivateKeyFilePaths, KeySettings.verify,
            KeySettings.signerPublicKeyFilePath, KeySettings.replayFolder, KeySettings.format,
        ]
    }

    private enum Method {
        case sluice(FrameOpener)
        case pvapy([UnwrappingKey], signer: PublicKey?)
    }

    private var method: Method?
    private var register: ReplayRegister?
    private var hasWarned = false
    private var statistics = CryptographyStatistics(
        countKey: "nDecrypted", description: "Frames decrypted")

    /// Bytes.
    open override func getInputType() -> PayloadKind? { .bytes }

    /// Reads the keys and says whether they serve.
    open override func validate(_ configuration: Configuration) throws {
        _ = try KeySettings(configuration).decryption()
    }

    /// Reads the keys.
    open override func configure(_ configuration: Configuration) throws {
        let settings = KeySettings(configuration)
        let (keys, signer) = try settings.decryption()
        register = settings.replayRegister(run: runName)
        switch settings.format {
        case .sluice: method = .sluice(try FrameOpener(keys, signer: signer))
        case .pvapy:
            method = .pvapy(try keys.map(UnwrappingKey.init), signer: signer)
            warnOfPvaPy(&hasWarned)
        }
    }

    /// Decrypts the frame.
    open override func process(_ frame: Frame) throws -> Frame? {
        guard method != nil else {
            throw ProcessingError.noPipeline(operation: "DataDecryptor.process")
        }
        try statistics.record {
            switch method {
            case .sluice(var opener):
                method = nil
                defer { method = .sluice(opener) }
                let header = try opener.open(frame)
                claim(header.claim)
                try register?.enter(header, frame, outputFiles)
            case .pvapy(let keys, let signer):
                try PvaPyCipher.open(frame, with: keys, signer: signer)
            case nil: break
            }
            try check(frame)
        }
        return frame
    }

    /// Says by throwing that what was decrypted is not what this processor gives.
    func check(_ frame: Frame) throws {}

    /// Back to zero.
    open override func resetStats() { statistics.reset() }
    /// The ancestor's three, and how many frames failed here.
    open override func getStats() -> [String: StatisticValue] { statistics.values }
    /// What the statistics are.
    open override func getStatsTypes() -> [StatisticDeclaration] { statistics.declarations }
}

/// Decrypts images; anything else that was encrypted fails.
open class AdImageDataDecryptor: DataDecryptor {
    /// One sentence for people.
    open override class var summary: String { "Decrypts images that were encrypted for a key." }
    /// Images.
    open override func getOutputType() -> PayloadKind? { .image }

    override func check(_ frame: Frame) throws {
        guard frame.payloadKind == .image else {
            throw ProcessingError.badInput(
                "frame \(frame.uniqueId)",
                reason: "what was encrypted is \(frame.payloadKind.name), not an image")
        }
    }
}

/// The processors that encrypt and decrypt, for worker executables to offer.
public let encryptionProcessors: [UserDataProcessor.Type] = [
    AdImageDataDecryptor.self, AdImageDataEncryptor.self, DataDecryptor.self, DataEncryptor.self,
]
