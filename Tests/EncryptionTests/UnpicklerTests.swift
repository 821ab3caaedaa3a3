import DataProcessing
import NDArrays
import TestSupport
import Testing

@testable import Encryption

@Suite struct UnpicklerTests {
    private func error(of bytes: [UInt8]) -> EncryptionError? {
        bytes.withUnsafeBytes { buffer in
            do throws(EncryptionError) {
                var unpickler = Unpickler(buffer)
                let object = try unpickler.run()
                var reader = PvaPyReader(unpickler)
                _ = try reader.frame(object)
                return nil
            } catch {
                return error
            }
        }
    }

    private static func text(_ text: String) -> [UInt8] {
        [0x8C, UInt8(text.utf8.count)] + Array(text.utf8)
    }

    private static let start: [UInt8] = [0x80, 4]

    @Test func `hostile pickles are refused by the name of the opcode or class`() {
        let system = Self.text("os") + Self.text("system") + [0x93]
        let cases: [([UInt8], String)] = [
            // c os\nsystem\n (S'true' t R .: what every tutorial shows
            (Self.start + Array("cos\nsystem\n(S'true'\ntR.".utf8), "the opcode GLOBAL"),
            (Self.start + system + Self.text("true") + [0x85, 0x52, 0x2E], "the class os.system"),
            (Self.start + Array("(i__main__\nX\n.".utf8), "the opcode INST"),
            (Self.start + [0x28, 0x6F, 0x2E], "the opcode OBJ"),
            (Self.start + [0x82, 1, 0x2E], "the opcode EXT1"),
            (Self.start + Array("P1\n.".utf8), "the opcode PERSID"),
            (Self.start + [0x51, 0x2E], "the opcode BINPERSID"),
            (Self.start + [0x29, 0x29, 0x92, 0x2E], "the opcode NEWOBJ_EX"),
            (Self.start + [0x97, 0x2E], "the opcode NEXT_BUFFER"),
            (Self.start + Array("I1\n.".utf8), "the opcode INT"),
            (Self.start + [0xFE], "no opcode at all (254)"),
            ([0x80, 2, 0x4E, 0x2E], "protocol 2"),
            (
                Self.start + Self.text("builtins") + Self.text("eval") + [0x93],
                "the class builtins.eval"
            ),
            (
                Self.start + Self.text("pvaccess.pvaccess") + Self.text("Channel") + [0x93],
                "the class pvaccess.pvaccess.Channel"
            ),
            (
                Self.start + Self.text("numpy") + Self.text("dtype") + [0x93] + Self.text("O")
                    + [0x85, 0x52], "the numpy type O"
            ),
            (Self.start + [0x4B, 1, 0x29, 0x52, 0x2E], "REDUCE of something"),
            (Self.start + [0x4B, 1, 0x29, 0x62, 0x2E], "BUILD of something"),
            (
                Self.start + Self.text("numpy") + Self.text("ndarray") + [0x93, 0x29, 0x81],
                "NEWOBJ of something"
            ),
        ]
        for (bytes, part) in cases {
            let error = error(of: bytes)
            guard case .refusedPickle = error else {
                Issue.record("no refusal where \(part) was expected")
                continue
            }
            #expect("\(error, default: "")".contains(part))
        }
    }

    @Test func `the name of a hostile class does not fill the log`() {
        let name = [0x58, 0x10, 0x27, 0, 0] + [UInt8](repeating: UInt8(ascii: "x"), count: 10_000)
        let error = error(of: Self.start + name + name + [0x93])
        guard case .refusedPickle = error else {
            Issue.record("no refusal")
            return
        }
        #expect("\(error, default: "")".utf8.count < 300)
    }

    @Test func `pickles that contradict themselves are errors and not more`() {
        let cases: [[UInt8]] = [
            [], [0x80], Self.start, Self.start + [0x2E], Self.start + [0x85],
            Self.start + [0x4B], Self.start + [0x4B, 1, 0x2E, 0], Self.start + [0x68, 3],
            Self.start + [0x75], Self.start + [0x7D, 0x28, 0x4B, 1, 0x75, 0x2E],
            Self.start + [0x8E] + [UInt8](repeating: 0xFF, count: 8),
            Self.start + [0x58, 0xFF, 0xFF, 0xFF, 0xFF],
            Self.start + [0x95] + [UInt8](repeating: 0xFF, count: 8),
            Self.start + [0x8A, 255], Self.start + [0x5D, 0x94, 0x68, 0, 0x61, 0x2E],
            Self.start + [0x4B, 1, 0x4B, 1, 0x61], Self.start + [0x28, 0x85],
        ]
        for bytes in cases { #expect(error(of: bytes) != nil, "\(bytes)") }
    }

    @Test func `a structure that holds itself ends`() {
        // {'a': itself} for types and values
        let loop: [UInt8] = [0x7D, 0x94] + Self.text("a") + [0x68, 0, 0x73]
        let object =
            Self.start + Self.text("pvaccess.pvaccess") + Self.text("PvObject") + [0x93] + loop
            + [0x68, 0, 0x86, 0x52, 0x2E]
        #expect(error(of: object) != nil)
    }

    @Test func `lists of lists of lists do not fill the memory`() {
        // Ten of the list before, thirty times: 10³⁰ values in 700 bytes.
        var bytes =
            Self.start + Self.text("pvaccess.pvaccess") + Self.text("PvObject") + [0x93]
        var memo: UInt8 = 0
        for isType in [true, false] {
            bytes += isType ? Self.scalarType : [0x4B, 1]
            bytes += [0x94]
            memo += isType ? 0 : 1
            for _ in 0..<12 {
                bytes += [0x5D, 0x28]
                for _ in 0..<(isType ? 1 : 10) { bytes += [0x68, memo] }
                bytes += [0x65, 0x94]
                memo += 1
            }
        }
        #expect(error(of: bytes + [0x2E]) != nil)
    }

    private static let scalarType =
        text("pvaccess.pvaccess") + text("ScalarType") + [0x93, 0x4B, 3, 0x85, 0x81]

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `seeded damage of a good pickle never crashes`(seed: UInt64) throws {
        let image = try NDArray([1, 2, 3, 4, 5, 6] as [UInt16], width: 3, height: 2, uniqueId: 9)
        let plain = PlainFrame(
            uniqueId: 9, timeStamp: TimeStamp(secondsPastEpoch: 5), attributes: NDAttributes(),
            content: .image(image.layout), byteCount: 12)
        let good = try image.withUnsafeBytes { try PvaPyWriter.pickle(plain, $0) }
        #expect(error(of: good) == nil)
        var numbers = SeededNumbers(seed: seed)
        for _ in 0..<3000 {
            var bytes = good
            for _ in 0..<(1 + numbers.next() % 4) {
                let place = Int(numbers.next() % UInt64(bytes.count))
                bytes[place] = UInt8(truncatingIfNeeded: numbers.next())
            }
            if numbers.next() % 4 == 0 { bytes.removeLast(Int(numbers.next() % 40)) }
            _ = error(of: bytes)
        }
        for count in 0..<good.count { #expect(error(of: Array(good[..<count])) != nil) }
    }
}
