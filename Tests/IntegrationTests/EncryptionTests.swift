import ControllerRuntime
import Foundation
import Keys
import NDArrays
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct EncryptedRunTests {
    private static func keys(_ kind: KeyKind) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let key = try PrivateKey(generating: kind, bitCount: 2048)
        try key.write(to: folder.file("key.pem"))
        try key.publicKey.write(to: folder.file("key.pub"))
        return folder
    }

    private static func save(
        from stage: String?, into folder: String
    ) throws -> StageConfiguration {
        try Scenario.stage(
            named: "save", from: stage,
            Scenario.processor("AdOutputFileProcessor", ["outputDirectory": folder]))
    }

    @Test(
        arguments: [PixelPlane.shared, .inline],
        [("sluice", KeyKind.x25519), ("sluice", .rsa), ("pvapy", .rsa)])
    func `what is encrypted, handed on, decrypted and saved is what went in`(
        plane: PixelPlane, form: (format: String, kind: KeyKind)
    ) async throws {
        let keys = try Self.keys(form.kind)
        let folder = try TemporaryFolder()
        let plain = try await Scenario.run(
            Self.save(from: nil, into: folder.file("plain")), frames: 30)
        expectBalance(plain, accepted: 30)
        let isSigned = form.kind == .rsa
        let encrypted = try await Scenario.run(
            Scenario.stage(
                named: "encrypt", workers: 2, worker: "sluice-encryption-worker",
                Scenario.processor(
                    "AdImageDataEncryptor",
                    [
                        (isSigned ? "privateKeyFilePath" : "publicKeyFilePath"): keys.file(
                            isSigned ? "key.pem" : "key.pub"),
                        "sign": "\(isSigned)", "format": form.format,
                    ])),
            Scenario.stage(
                named: "decrypt", from: "encrypt", workers: 2, worker: "sluice-encryption-worker",
                Scenario.processor(
                    "AdImageDataDecryptor",
                    [
                        "privateKeyFilePath": keys.file("key.pem"), "verify": "\(isSigned)",
                        "format": form.format,
                    ])),
            Self.save(from: "decrypt", into: folder.file("decrypted")), frames: 30, plane: plane)
        expectBalance(encrypted, accepted: 30)
        #expect(encrypted.processed == 30)
        let names = try folder.files(in: "plain")
        #expect(names.count == 30)
        #expect(try folder.files(in: "decrypted") == names)
        for name in names {
            #expect(
                try folder.bytes(of: "decrypted/" + name) == folder.bytes(of: "plain/" + name))
        }
    }

    @Test func `frames for another key fail, each with the reason, and none is saved`() async throws
    {
        let keys = try Self.keys(.x25519)
        let others = try Self.keys(.x25519)
        let folder = try TemporaryFolder()
        let summary = try await Scenario.run(
            Scenario.stage(
                named: "encrypt", worker: "sluice-encryption-worker",
                Scenario.processor(
                    "AdImageDataEncryptor", ["publicKeyFilePath": keys.file("key.pub")])),
            Scenario.stage(
                named: "decrypt", from: "encrypt", worker: "sluice-encryption-worker",
                Scenario.processor(
                    "AdImageDataDecryptor", ["privateKeyFilePath": others.file("key.pem")]),
                Scenario.processor(
                    "AdOutputFileProcessor", ["outputDirectory": folder.file("out")])),
            frames: 5, runDirectory: folder.file("run"))
        expectBalance(summary, accepted: 5)
        #expect(summary.failed == 5)
        #expect(try folder.files(in: "out") == [])
    }

    @Test func `a frame that comes twice, to another worker and stage, is accepted once`()
        async throws
    {
        let keys = try Self.keys(.x25519)
        let folder = try TemporaryFolder()
        let decryptor = Scenario.processor(
            "AdImageDataDecryptor",
            [
                "privateKeyFilePath": keys.file("key.pem"), "replayFolder": folder.file("seen"),
            ])
        let summary = try await Scenario.run(
            Scenario.stage(
                named: "encrypt", workers: 2, worker: "sluice-encryption-worker",
                Scenario.processor(
                    "AdImageDataEncryptor", ["publicKeyFilePath": keys.file("key.pub")])),
            Scenario.stage(
                named: "first", from: "encrypt", workers: 2, worker: "sluice-encryption-worker",
                decryptor),
            Scenario.stage(
                named: "second", from: "encrypt", worker: "sluice-encryption-worker", decryptor),
            frames: 20, runDirectory: folder.file("run"))
        expectBalance(summary, accepted: 20)
        let ends = summary.stages.dropFirst().map(\.ledger)
        #expect(ends.map(\.processed).reduce(0, +) == 20)
        #expect(ends.map(\.failed).reduce(0, +) == 20)
        let entries = try folder.files(in: "seen")
        #expect(entries.count == 1)
        #expect(try folder.files(in: "seen/" + (entries.first ?? "")).count == 20)
        let failures = summary.failures.map(\.reason)
        #expect(failures.allSatisfy { $0.contains("is a replay") })
    }

    @Test(arguments: [PixelPlane.shared, .inline])
    func `keys and plain pixels are in no log, journal or other file of a run`(
        plane: PixelPlane
    ) async throws {
        let keys = try Self.keys(.rsa)
        let others = try Self.keys(.rsa)
        let folder = try TemporaryFolder()
        let decryptor = { (key: TemporaryFolder) in
            Scenario.processor(
                "AdImageDataDecryptor", ["privateKeyFilePath": key.file("key.pem")])
        }
        // Some are decrypted and some fail, and of those the reasons are told.
        let summary = try await Scenario.run(
            Scenario.stage(
                named: "encrypt", workers: 2, worker: "sluice-encryption-worker",
                Scenario.processor(
                    "AdImageDataEncryptor",
                    ["privateKeyFilePath": keys.file("key.pem"), "sign": "true"])),
            Scenario.stage(
                named: "good", from: "encrypt", worker: "sluice-encryption-worker", decryptor(keys)),
            Scenario.stage(
                named: "bad", from: "encrypt", worker: "sluice-encryption-worker",
                decryptor(others)), frames: 20, plane: plane, runDirectory: folder.file("run"))
        expectBalance(summary, accepted: 20)
        #expect(summary.stages.map(\.ledger.processed) == [20, 20, 0])
        var secrets: [(String, Data)] = []
        for name in ["key.pem"] {
            let lines = try keys.text(of: name).split(separator: "\n").dropFirst().dropLast()
            for line in lines { secrets.append(("a key", Data(line.utf8))) }
        }
        for number in 1...20 as ClosedRange<UInt8> {
            let pixels = Data((0..<64).map { $0 % 2 == 0 ? number : 0 })
            secrets.append(("frame \(number)", pixels))
        }
        var names: [String] = []
        let everything = FileManager.default.enumerator(atPath: folder.path)
        while let name = everything?.nextObject() as? String {
            let type = everything?.fileAttributes?[.type] as? FileAttributeType
            guard type == .typeRegular else { continue }
            names.append(name)
            let bytes = Data(try folder.bytes(of: name))
            for (what, secret) in secrets {
                #expect(bytes.range(of: secret) == nil, "\(name) holds \(what)")
            }
        }
        for name in ["journal.jsonl", "ledger", "stats.jsonl"] {
            #expect(names.contains("run/" + name), "\(names)")
        }
    }

    @Test func `the weak format is warned of once in every stage that uses it`() async throws {
        let keys = try Self.keys(.rsa)
        let folder = try TemporaryFolder()
        let settings: KeyValuePairs = [
            "privateKeyFilePath": keys.file("key.pem"), "format": "pvapy",
        ]
        _ = try await Scenario.run(
            Scenario.stage(
                named: "plain", workers: 2, Scenario.processor("PassThrough")),
            Scenario.stage(
                named: "encrypt", from: "plain", workers: 2, worker: "sluice-encryption-worker",
                Scenario.processor("AdImageDataEncryptor", settings)),
            Scenario.stage(
                named: "decrypt", from: "encrypt", workers: 2, worker: "sluice-encryption-worker",
                Scenario.processor("AdImageDataDecryptor", settings)), frames: 20,
            runDirectory: folder.file("run"))
        let log = try folder.text(of: "run/log.txt").split(separator: "\n")
        #expect(log.count { $0.contains("The format pvapy is weak") } == 2, "\(log)")
    }

    @Test func `neither workers with keys nor their controller leave core dumps`() async throws {
        let keys = try Self.keys(.x25519)
        let configuration = RunConfiguration(stages: [
            try Scenario.stage(
                worker: "sluice-encryption-worker",
                Scenario.processor("DataEncryptor", ["publicKeyFilePath": keys.file("key.pub")]))
        ])
        let controller = try Controller(configuration, source: IdleSource())
        let run = Task { try await controller.run() }
        try await controller.waitUntilStarted()
        let status = try #require(await controller.status())
        #expect(status.workers.count == 1)
        for id in status.workers.map(\.processId) + [status.processId] {
            let limits = try String(contentsOfFile: "/proc/\(id)/limits", encoding: .utf8)
            let line = try #require(
                limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") })
            let words = line.dropFirst("Max core file size".count).split(separator: " ")
            #expect(words.first == "0", "\(line)")
        }
        controller.stop()
        _ = try await run.value
    }

    @Test func `a key that others may read ends the start with the reason`() async throws {
        let keys = try Self.keys(.x25519)
        let path = keys.file("open.pem")
        try keys.write(try keys.bytes(of: "key.pem"), to: "open.pem")
        let stage = try Scenario.stage(
            worker: "sluice-encryption-worker",
            Scenario.processor("DataEncryptor", ["privateKeyFilePath": path]))
        let error = await #expect(throws: ControllerError.self) {
            try await Scenario.run(stage, frames: 1)
        }
        let reason = try #require(error).reason
        #expect(reason.contains("may be read or written by others"))
    }
}
