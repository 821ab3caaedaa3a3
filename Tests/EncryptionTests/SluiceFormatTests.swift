import DataProcessing
import NDArrays
import ProcessorTesting
import TestSupport
import Testing

@testable import Encryption

@Suite struct SluiceFormatTests {
    @Test(arguments: ["rsa", "x"])
    func `every kind of image comes back whole`(key: String) throws {
        let keys = try TestKeys()
        let pair = try Pair(keys, key)
        for image in try FrameFactory.everyKind() {
            let (bytes, typeName, _) = try pair.encrypted(image)
            #expect(try pair.decrypt(bytes, typeName).isWhole(image), "\(image.layout.text)")
        }
        #expect(pair.encryptor.statistics.userValue("nRefused") == .unsigned(0))
        let count = UInt64(try FrameFactory.everyKind().count)
        #expect(pair.encryptor.statistics.userValue("nEncrypted") == .unsigned(count))
        #expect(pair.decryptor.statistics.userValue("nDecrypted") == .unsigned(count))
        #expect(
            pair.decryptor.statistics.userStatistics.map(\.declaration.key) == [
                "nDecrypted", "processingTime", "processingRate", "nRefused",
            ])
    }

    @Test(arguments: [1, 131_071, 131_072, 131_073, 262_144, 400_000])
    func `frames of one and of many parts come back whole`(byteCount: Int) throws {
        let pair = try Pair(try TestKeys())
        let image = try FrameFactory.image(
            .uint8, width: byteCount, height: 1, pattern: .noise(seed: 3))
        let (bytes, typeName, _) = try pair.encrypted(image)
        #expect(try pair.decrypt(bytes, typeName).isWhole(image))
    }

    @Test func `structures, bytes and nothing at all come back whole`() throws {
        let pair = try Pair(try TestKeys())
        let structure = Structure([
            "a": .scalar(.int32(-1)), "b": .list([.scalar(.string("x"))]),
            "c": .structure(Structure(["d": .scalar(.float64(0.5))])),
        ])
        let payloads: [Payload] = [
            .structure(structure, typeName: "my:type"), .structure(Structure(), typeName: ""),
            .bytes([1, 2, 3], typeName: "other"), .bytes([], typeName: "empty"),
        ]
        for payload in payloads {
            let sealed = try pair.encryptor.process(payload, uniqueId: 8)
            guard case .bytes(let bytes, let name) = try #require(sealed.outputs.first).payload
            else { throw Pair.Missing(reason: "no bytes") }
            let opened = try pair.decrypt(bytes, name)
            let output = try #require(opened.outputs.first)
            #expect("\(output.payload)" == "\(payload)")
            #expect(output.uniqueId == 8)
        }
    }

    @Test func `no nonce comes again, neither in a life nor in the next one nor after a change`()
        throws
    {
        let keys = try TestKeys()
        let image = try FrameFactory.image()
        func headers(_ pair: Pair, _ count: Int) throws -> [SealedHeader] {
            try (0..<count).map { _ in
                let (bytes, _, _) = try pair.encrypted(image)
                return try bytes.withUnsafeBytes { try SealedHeader.read($0).header }
            }
        }
        let pair = try Pair(keys)
        let first = try headers(pair, 3)
        #expect(first.map(\.nonceCounter) == [0, 1, 2])
        #expect(Set(first.map(\.noncePrefix)).count == 1)
        #expect(Set(first.map(\.wrappedKey)).count == 1)
        // Another life of the worker, which may get the very same frame again.
        let second = try headers(try Pair(keys), 1)
        try pair.encryptor.configure(["publicKeyFilePath": keys.path("x.pub")])
        let third = try headers(pair, 1)
        let all: [SealedHeader] = [first[0], second[0], third[0]]
        #expect(Set(all.map(\.noncePrefix)).count == 3)
        #expect(Set(all.map(\.wrappedKey)).count == 3)
    }

    @Test func `nothing of the frame but its id can be read on the way`() throws {
        let pair = try Pair(try TestKeys())
        var image = try FrameFactory.image(pattern: .constant(0x4142), uniqueId: 77)
        image.attributes.set("Sample", .string("unobtainium"), description: "do not tell")
        let result = try pair.encryptor.process(image)
        let output = try #require(result.outputs.first)
        #expect(output.attributes.isEmpty)
        #expect(output.timeStamp == TimeStamp())
        #expect(output.uniqueId == 77)
        guard case .bytes(let bytes, _) = output.payload else {
            throw Pair.Missing(reason: "no bytes")
        }
        let text = String(decoding: bytes, as: Unicode.ASCII.self)
        for secret in ["unobtainium", "Sample", "tell", "ABABABAB"] {
            #expect(!text.contains(secret))
        }
        #expect(String(decoding: bytes.prefix(8), as: UTF8.self) == "SluiceEF")
    }

    @Test(arguments: ["x", "rsa"], [false, true])
    func `a change of any byte fails the frame as a whole`(key: String, isSigned: Bool) throws {
        let keys = try TestKeys()
        let pair = try Pair(
            [
                "publicKeyFilePath": keys.path(key + ".pub"), "sign": isSigned,
                "privateKeyFilePath": keys.path("ed.pem"),
            ],
            [
                "privateKeyFilePath": keys.path(key + ".pem"), "verify": isSigned,
                "signerPublicKeyFilePath": keys.path("ed.pub"),
            ])
        let image = try FrameFactory.image(width: 4, height: 3)
        let (bytes, typeName, _) = try pair.encrypted(image)
        for place in bytes.indices {
            for bit: UInt8 in [0x01, 0x80] {
                var changed = bytes
                changed[place] ^= bit
                let result = try pair.decrypt(changed, typeName)
                #expect(result.outputs.isEmpty && result.failure != nil, "byte \(place)")
            }
        }
        #expect(try pair.decrypt(bytes, typeName).isWhole(image))
        #expect(
            pair.decryptor.statistics.userValue("nRefused") == .unsigned(UInt64(2 * bytes.count)))
    }

    @Test func `a frame that was cut or lengthened fails`() throws {
        let pair = try Pair(try TestKeys())
        let image = try FrameFactory.image(width: 4, height: 3)
        let (bytes, typeName, _) = try pair.encrypted(image)
        for count in 0..<bytes.count {
            let result = try pair.decrypt(Array(bytes[..<count]), typeName)
            #expect(result.outputs.isEmpty && result.failure != nil, "\(count) bytes")
        }
        let longer = try pair.decrypt(bytes + [0], typeName)
        #expect(try #require(longer.failure).contains("lengthened"))
    }

    @Test func `parts can't be exchanged, left out or taken from another frame`() throws {
        let pair = try Pair(try TestKeys())
        let part = 131_072 + 16
        let image = try FrameFactory.image(
            .uint8, width: 131_072, height: 3, pattern: .noise(seed: 1))
        let (first, typeName, _) = try pair.encrypted(image)
        let (second, _, _) = try pair.encrypted(image)
        #expect(first.count == second.count)
        #expect(first.suffix(3 * part) != second.suffix(3 * part))
        let head = first.count - 3 * part
        let exchanged =
            first[..<head] + first[(head + part)..<(head + 2 * part)]
            + first[head..<(head + part)] + first.suffix(part)
        #expect(
            try #require(try pair.decrypt(Array(exchanged), typeName).failure)
                .contains("part 1 of its pixels"))
        let mixed = first[..<(head + part)] + second[(head + part)...]
        #expect(
            try #require(try pair.decrypt(Array(mixed), typeName).failure)
                .contains("part 2 of its pixels"))
    }

    @Test func `keys that are not the right ones are told apart`() throws {
        let keys = try TestKeys()
        let pair = try Pair(keys)
        let image = try FrameFactory.image()
        let (bytes, typeName, _) = try pair.encrypted(image)
        let other = try Pair(keys, "x2")
        #expect(
            try #require(try other.decrypt(bytes, typeName).failure)
                .contains("which is none of privateKeyFilePath"))
        let both = try ProcessorHarness(
            DataDecryptor.self,
            configuration: [
                "privateKeyFilePath": keys.path("x2.pem"),
                "olderPrivateKeyFilePaths": [keys.path("rsa.pem"), keys.path("x.pem")],
            ])
        #expect(try both.process(.bytes(bytes, typeName: typeName)).isWhole(image))
        let plain = try pair.decryptor.process(.bytes(bytes, typeName: "foreign"))
        #expect(try #require(plain.failure).contains("not an encrypted frame"))
    }

    @Test(arguments: ["ed", "rsa"])
    func `with verify on, only frames of the signer come through`(signer: String) throws {
        let keys = try TestKeys()
        let encryption: [String: any SettingValue] = [
            "publicKeyFilePath": keys.path("x.pub"),
            "privateKeyFilePath": keys.path(signer + ".pem"), "sign": true,
        ]
        let decryption: [String: any SettingValue] = [
            "privateKeyFilePath": keys.path("x.pem"), "verify": true,
            "signerPublicKeyFilePath": keys.path(signer + ".pub"),
        ]
        let pair = try Pair(encryption, decryption)
        let image = try FrameFactory.image()
        let (signed, typeName, _) = try pair.encrypted(image)
        #expect(try pair.decrypt(signed, typeName).isWhole(image))
        let (unsigned, _, _) = try Pair(keys).encrypted(image)
        #expect(try #require(try pair.decrypt(unsigned, typeName).failure).contains("not signed"))
        let stranger = try Pair(
            encryption.merging(["privateKeyFilePath": keys.path("other.pem")]) { $1 }, decryption)
        let (forged, _, _) = try stranger.encrypted(image)
        #expect(
            try #require(try pair.decrypt(forged, typeName).failure).contains("its signature"))
        // Who does not ask for signatures takes both.
        #expect(try Pair(keys).decrypt(signed, typeName).isWhole(image))
    }

    @Test func `an image decryptor gives images only`() throws {
        let keys = try TestKeys()
        let pair = try Pair(keys)
        let images = try ProcessorHarness(
            AdImageDataDecryptor.self, configuration: ["privateKeyFilePath": keys.path("x.pem")])
        let sealed = try pair.encryptor.process(.structure(Structure(), typeName: ""))
        let result = try images.process(try #require(sealed.outputs.first).payload)
        #expect(try #require(result.failure).contains("a structure, not an image"))
        let encryptor = try ProcessorHarness(
            AdImageDataEncryptor.self, configuration: ["publicKeyFilePath": keys.path("x.pub")])
        #expect(try encryptor.process(.structure(Structure(), typeName: "")).failure != nil)
        let image = try FrameFactory.image()
        let encrypted = try encryptor.process(image)
        let opened = try images.process(try #require(encrypted.outputs.first).payload)
        #expect(opened.isWhole(image))
    }

    @Test func `settings that do not fit are refused with the reason`() throws {
        let keys = try TestKeys()
        let cases: [([String: any SettingValue], String)] = [
            ([:], "has to be given"),
            (["publicKeyFilePath": keys.path("x.pub"), "sign": true], "for `sign`"),
            (["publicKeyFilePath": keys.path("ed.pub")], "can't encrypt"),
            (
                [
                    "publicKeyFilePath": keys.path("x.pub"),
                    "privateKeyFilePath": keys.path("x.pem"), "sign": true,
                ], "can't sign"
            ),
            (
                ["publicKeyFilePath": keys.path("x.pub"), "format": "pvapy"],
                "can't be used with PvaPy"
            ),
        ]
        for (configuration, part) in cases {
            let error = #expect(throws: (any Error).self) {
                try ProcessorHarness(DataEncryptor.self, configuration: configuration)
            }
            #expect("\(error, default: "")".contains(part), "\(configuration)")
        }
        let error = #expect(throws: (any Error).self) {
            try ProcessorHarness(
                DataDecryptor.self,
                configuration: ["privateKeyFilePath": keys.path("x.pem"), "verify": true])
        }
        #expect("\(error, default: "")".contains("signerPublicKeyFilePath"))
    }

    @Test func `a key that is changed while the run goes on is used from then on`() throws {
        let keys = try TestKeys()
        let pair = try Pair(keys)
        let image = try FrameFactory.image()
        let (before, typeName, _) = try pair.encrypted(image)
        try pair.encryptor.configure(["publicKeyFilePath": keys.path("x2.pub")])
        let (after, _, _) = try pair.encrypted(image)
        #expect(try pair.decrypt(after, typeName).failure != nil)
        try pair.decryptor.configure([
            "privateKeyFilePath": keys.path("x2.pem"),
            "olderPrivateKeyFilePaths": [keys.path("x.pem")],
        ])
        #expect(try pair.decrypt(before, typeName).isWhole(image))
        #expect(try pair.decrypt(after, typeName).isWhole(image))
    }

    @Test func `a register of decrypted frames has one entry for each id of a run`() throws {
        let keys = try TestKeys()
        let folder = try TemporaryFolder()
        let pair = try Pair(
            ["publicKeyFilePath": keys.path("x.pub")],
            [
                "privateKeyFilePath": keys.path("x.pem"),
                "replayFolder": folder.file("seen"),
            ])
        let (bytes, typeName, _) = try pair.encrypted(try FrameFactory.image())
        #expect(try pair.decrypt(bytes, typeName).files.keys.first == "1.seen")
        let (next, _, _) = try pair.encrypted(try FrameFactory.image())
        #expect(try pair.decrypt(next, typeName).files.keys.first == "2.seen")
        #expect(throws: (any Error).self) {
            try ProcessorHarness(
                DataDecryptor.self,
                configuration: [
                    "privateKeyFilePath": keys.path("rsa.pem"), "format": "pvapy",
                    "replayFolder": folder.path,
                ])
        }
    }

    @Test func `the encryptors keep to the rules for processors`() throws {
        let keys = try TestKeys()
        let conformance = try ProcessorConformance(
            AdImageDataEncryptor.self, configuration: ["publicKeyFilePath": keys.path("x.pub")])
        try conformance.verifyLifeCycle()
        try conformance.verifyElementTypes()
        try conformance.verifyStatistics()
        try conformance.verifyReset()
    }
}
