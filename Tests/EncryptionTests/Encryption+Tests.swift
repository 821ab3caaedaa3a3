import DataProcessing
import Encryption
import NDArrays
import ProcessorTesting
import TestSupport

/// An encryptor and a decryptor that fit each other.
struct Pair {
    let encryptor: ProcessorHarness<DataEncryptor>
    let decryptor: ProcessorHarness<DataDecryptor>

    init(
        _ encryption: [String: any SettingValue], _ decryption: [String: any SettingValue]
    ) throws {
        encryptor = try ProcessorHarness(DataEncryptor.self, configuration: encryption)
        decryptor = try ProcessorHarness(DataDecryptor.self, configuration: decryption)
    }

    /// A pair that uses the key `name` of the folder.
    init(_ keys: TestKeys, _ name: String = "x", format: String = "sluice") throws {
        try self.init(
            [
                (format == "pvapy" ? "privateKeyFilePath" : "publicKeyFilePath"): keys.path(
                    name + (format == "pvapy" ? ".pem" : ".pub")),
                "format": format,
            ],
            ["privateKeyFilePath": keys.path(name + ".pem"), "format": format])
    }

    /// The encrypted form of an image.
    func encrypted(_ image: NDArray) throws -> (bytes: [UInt8], typeName: String, id: UInt64) {
        let result = try encryptor.process(image)
        guard let output = result.outputs.first, case .bytes(let bytes, let name) = output.payload
        else { throw Missing(reason: result.failure ?? "no bytes") }
        return (bytes, name, output.uniqueId)
    }

    /// What decrypting these bytes comes to.
    func decrypt(_ bytes: [UInt8], _ typeName: String) throws -> HarnessResult {
        try decryptor.process(.bytes(bytes, typeName: typeName))
    }

    struct Missing: Error { let reason: String }
}

extension HarnessResult {
    /// Whether the image is this one, with everything that belongs to it.
    func isWhole(_ image: NDArray) -> Bool {
        guard failure == nil, let output = outputs.first, let found = output.image else {
            return false
        }
        return found.layout == image.layout && found.bytes == image.bytes
            && output.uniqueId == image.uniqueId && output.timeStamp == image.timeStamp
            && output.attributes == image.attributes
    }
}
