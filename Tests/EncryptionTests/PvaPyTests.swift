import DataProcessing
import Encryption
import Foundation
import Keys
import NDArrays
import ProcessorTesting
import TestSupport
import Testing

/// PvaPy as it comes from PyPI.
enum PvaPyPeer {
    /// Whether the interpreter has it; asked once.
    static let isThere =
        Python.isThere
        && (try? Python.run("import pvapy, rsa, Crypto, pvaccess")) != nil
    static let hint: Comment =
        "needs Python with pvapy, rsa, pycryptodome: run scripts/test or set SLUICE_PYTHON"

    /// Runs `Tests/Fixtures/pvapy_peer.py`, and returns the lines that it prints.
    static func run(_ command: String, _ key: String, _ folder: String, _ flag: Bool) throws
        -> [String]
    {
        let script =
            "import runpy, sys; sys.argv = sys.argv[1:]; "
            + "runpy.run_path(sys.argv[0], run_name='__main__')"
        return try Python.lines(
            script,
            [Checkout.fixtures + "/pvapy_peer.py", command, key, folder, flag ? "1" : "0"])
    }
}

@Suite(.enabled(if: PvaPyPeer.isThere, PvaPyPeer.hint), .timeLimit(.minutes(1)))
struct PvaPyTests {
    @Test(arguments: [false, true])
    func `what PvaPy encrypts, every element type, is decrypted`(isSigned: Bool) throws {
        let keys = try TestKeys()
        let folder = try TemporaryFolder()
        _ = try PvaPyPeer.run("encrypt", keys.path("rsa.pem"), folder.path, isSigned)
        let decryptor = try ProcessorHarness(
            AdImageDataDecryptor.self,
            configuration: [
                "privateKeyFilePath": keys.path("rsa.pem"), "format": "pvapy", "verify": isSigned,
            ])
        for (index, type) in Self.types.enumerated() {
            let bytes = try folder.bytes(of: "\(type.name).enc")
            let result = try decryptor.process(
                .bytes(bytes, typeName: "pvapy:EncyptedData:1.0"))
            #expect(result.failure == nil, "\(type)")
            let image = try #require(result.image)
            #expect(image.layout == (try ArrayLayout(type, width: 35, height: 21)))
            #expect(image.bytes == (try folder.bytes(of: "\(type.name).raw")))
            let output = try #require(result.outputs.first)
            #expect(output.uniqueId == UInt64(index + 1))
            #expect(output.timeStamp.secondsPastEpoch > 1_700_000_000)
            #expect(output.attributes["ColorMode"]?.value == .int32(0))
            #expect(output.attributes["Sample"]?.value == .string("Grün"))
            #expect(output.attributes["Exposure"]?.value == .float64(0.125))
            #expect(output.attributes["Gain"]?.value == .int32(-3))
        }
        let any = try ProcessorHarness(
            DataDecryptor.self,
            configuration: ["privateKeyFilePath": keys.path("rsa.pem"), "format": "pvapy"])
        let result = try any.process(
            .bytes(try folder.bytes(of: "structure.enc"), typeName: "pvapy:EncyptedData:1.0"))
        #expect(result.failure == nil)
        let output = try #require(result.outputs.first)
        #expect(output.uniqueId == 99)
        guard case .structure(let structure, let name) = output.payload else {
            Issue.record("no structure")
            return
        }
        // PvaPy's pickles of such objects leave the type name out.
        #expect(name == "structure")
        #expect(structure == Self.structure)
    }

    private static let types: [ElementType] = [
        .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .uint64, .float32, .float64,
    ]

    private static let structure = Structure([
        "a": .scalar(.int32(-5)), "b": .list([.scalar(.float64(1)), .scalar(.float64(2.5))]),
        "s": .scalar(.string("hé")), "t": .structure(Structure(["x": .scalar(.uint8(3))])),
        "u": .scalar(.uint64(.max)),
        "st": .list([
            .structure(Structure(["q": .scalar(.int32(1))])),
            .structure(Structure(["q": .scalar(.int32(2))])),
        ]), "flag": .scalar(.boolean(true)),
    ])

    private struct Found: Decodable {
        var name: String
        var field: String
        var dtype: String
        var sizes: [Int]
        var uniqueId: Int
        var codec: String
        var seconds: Int
    }

    @Test(arguments: [false, true])
    func `PvaPy decrypts what is encrypted here, every element type`(isSigned: Bool) throws {
        let keys = try TestKeys()
        let folder = try TemporaryFolder()
        let encryptor = try ProcessorHarness(
            DataEncryptor.self,
            configuration: [
                "privateKeyFilePath": keys.path("rsa.pem"), "format": "pvapy", "sign": isSigned,
            ])
        var images: [String: NDArray] = [:]
        for (index, image) in try FrameFactory.everyKind().enumerated() {
            var image = image
            image.uniqueId = UInt64(index + 1)
            image.attributes.set("Exposure", .float64(0.25))
            image.attributes.set("Undefined", .string(""))
            let result = try encryptor.process(image)
            let output = try #require(result.outputs.first)
            guard case .bytes(let bytes, _) = output.payload else { continue }
            let name = String(format: "%03d", index)
            try folder.write(bytes, to: name + ".enc")
            images[name] = image
        }
        let lines = try PvaPyPeer.run("decrypt", keys.path("rsa.pem"), folder.path, isSigned)
        #expect(lines.count == images.count)
        for line in lines {
            let found = try JSONDecoder().decode(Found.self, from: Data(line.utf8))
            let image = try #require(images[found.name])
            #expect(try folder.bytes(of: found.name + ".out") == image.bytes, "\(line)")
            #expect(found.field == image.layout.elementType.fieldKey)
            #expect(found.sizes == image.layout.dimensions.map(\.size))
            #expect(found.uniqueId == Int(image.uniqueId))
            #expect(found.seconds == Int(image.timeStamp.secondsPastEpoch))
            #expect(line.contains("\"Exposure\": 0.25"))
        }
    }

    @Test func `PvaPy decrypts structures`() throws {
        let keys = try TestKeys()
        let folder = try TemporaryFolder()
        let encryptor = try ProcessorHarness(
            DataEncryptor.self,
            configuration: ["privateKeyFilePath": keys.path("rsa.pem"), "format": "pvapy"])
        let result = try encryptor.process(
            .structure(Self.structure, typeName: "my:type:1.0"), uniqueId: 4)
        guard case .bytes(let bytes, _) = try #require(result.outputs.first).payload else { return }
        try folder.write(bytes, to: "s.enc")
        let lines = try PvaPyPeer.run("decrypt", keys.path("rsa.pem"), folder.path, false)
        let line = try #require(lines.first)
        #expect(line.contains("\"u\": 18446744073709551615"))
        #expect(line.contains("\"t\": {\"x\": 3}"))
    }
}

@Suite struct PvaPyFormatTests {
    @Test func `both ends here agree, for every kind of image`() throws {
        let pair = try Pair(try TestKeys(), "rsa", format: "pvapy")
        for var image in try FrameFactory.everyKind() {
            image.attributes.set("ColorMode", .int32(Int32(image.layout.colorMode.rawValue)))
            let (bytes, typeName, _) = try pair.encrypted(image)
            let result = try pair.decrypt(bytes, typeName)
            #expect(result.isWhole(image), "\(image.layout.text)")
            #expect(result.failure == nil)
        }
    }

    @Test func `with verify on, a change of any byte fails or changes nothing`() throws {
        let keys = try TestKeys()
        let pair = try Pair(
            ["privateKeyFilePath": keys.path("rsa.pem"), "format": "pvapy", "sign": true],
            ["privateKeyFilePath": keys.path("rsa.pem"), "format": "pvapy", "verify": true])
        let image = try FrameFactory.image(width: 4, height: 3)
        let (bytes, typeName, _) = try pair.encrypted(image)
        for place in stride(from: 0, to: bytes.count, by: 7) {
            var changed = bytes
            changed[place] ^= 1
            let result = try pair.decrypt(changed, typeName)
            // The type names, the object's id and the parameters are not signed: PvaPy's form.
            #expect(result.failure != nil || result.isWhole(image), "byte \(place)")
        }
        let unsigned = try Pair(keys, "rsa", format: "pvapy").encrypted(image)
        #expect(
            try #require(try pair.decrypt(unsigned.bytes, typeName).failure).contains("not signed"))
        let other = try Pair(keys, "other", format: "pvapy").encrypted(image)
        #expect(try pair.decrypt(other.bytes, typeName).failure != nil)
        let both = try ProcessorHarness(
            DataDecryptor.self,
            configuration: [
                "privateKeyFilePath": keys.path("rsa.pem"), "format": "pvapy",
                "olderPrivateKeyFilePaths": [keys.path("other.pem")],
            ])
        for bytes in [bytes, other.bytes] {
            #expect(try both.process(.bytes(bytes, typeName: typeName)).isWhole(image))
        }
    }

    @Test func `cut objects, other ciphers and other payloads fail`() throws {
        let pair = try Pair(try TestKeys(), "rsa", format: "pvapy")
        let (bytes, typeName, _) = try pair.encrypted(try FrameFactory.image(width: 2, height: 2))
        for count in stride(from: 0, to: bytes.count, by: 13) {
            #expect(try pair.decrypt(Array(bytes[..<count]), typeName).failure != nil)
        }
        let text = "AES"
        var other = bytes
        let place = try #require(
            bytes.indices.dropLast(3).last { Array(bytes[$0..<($0 + 3)]) == Array(text.utf8) })
        other[place] = UInt8(ascii: "D")
        #expect(
            try #require(try pair.decrypt(other, typeName).failure).contains("the cipher is 'DES'"))
        #expect(try pair.decryptor.process(try FrameFactory.image()).failure != nil)
        let foreign = try pair.encryptor.process(.bytes([1], typeName: "x"))
        #expect(try #require(foreign.failure).contains("PvaPy has no form"))
        var large = try FrameFactory.image()
        large.uniqueId = 1 << 40
        #expect(try #require(try pair.encryptor.process(large).failure).contains("beyond 32 bits"))
    }
}
