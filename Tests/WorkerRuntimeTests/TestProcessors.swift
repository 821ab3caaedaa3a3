import DataProcessing

/// Gives every frame back as it came.
final class Untouched: UserDataProcessor {
    override static var summary: String { "Does nothing." }
}

/// Adds the setting `amount` to every pixel of a uint16 image; refuses what is over 100 when it is to be
/// applied, and over 1000 when it is validated.
final class AddAmount: UserDataProcessor {
    static let amount = Setting("amount", default: 1, in: 0...65_535, "What is added.")
    override static var settings: [any SettingDeclaration] { [amount] }
    private var value: UInt16 = 0
    private var frameCount: UInt64 = 0

    override func validate(_ configuration: Configuration) throws {
        if configuration[Self.amount] > 1000 { throw Refusal(amount: configuration[Self.amount]) }
    }

    override func configure(_ configuration: Configuration) throws {
        let amount = configuration[Self.amount]
        if amount > 100 { throw Refusal(amount: amount) }
        value = UInt16(amount)
    }

    override func process(_ frame: Frame) throws -> Frame? {
        let value = value
        try frame.modifyPixels(of: UInt16.self) { view in
            for y in 0..<view.height {
                for x in 0..<view.width { view[x, y] &+= value }
            }
        }
        frameCount += 1
        return frame
    }

    override func getStats() -> [String: StatisticValue] { ["nAdded": .unsigned(frameCount)] }
    override func resetStats() { frameCount = 0 }

    struct Refusal: Error {
        var amount: Int
    }
}

/// Takes its first configuration, and from then on throws whatever it is given.
final class Brittle: UserDataProcessor {
    static let amount = Setting("amount", default: 1, in: 0...9, "Of no importance.")
    override static var settings: [any SettingDeclaration] { [amount] }
    private var callCount = 0

    override func configure(_ configuration: Configuration) throws {
        callCount += 1
        if callCount > 1 { throw Cracked(call: callCount) }
    }

    struct Cracked: Error {
        var call: Int
    }
}

/// Filters frames with odd id, and fails for id 13.
final class EvenOnly: UserDataProcessor {
    struct Unlucky: Error, CustomStringConvertible {
        var description: String { "thirteen is unlucky" }
    }

    override func process(_ frame: Frame) throws -> Frame? {
        if frame.frameId == 13 { throw Unlucky() }
        return frame.frameId % 2 == 0 ? frame : nil
    }
}

/// Gives two small images and a structure for every frame.
final class ThreeOutputs: UserDataProcessor {
    override static var maximumOutputCount: Int { 3 }

    override func process(_ frame: Frame) throws -> Frame? {
        let layout = try ArrayLayout(.uint8, width: 4, height: 2)
        for value in [UInt8(7), 9] {
            let part = try makeFrame(layout: layout, of: UInt8.self) { view in
                for y in 0..<2 { for x in 0..<4 { view[x, y] = value } }
            }
            try updateOutputChannel(part)
        }
        return try makeFrame(structure: Structure(["answer": .scalar(.int32(42))]))
    }
}

/// Writes one file per frame.
final class OneFile: UserDataProcessor {
    static let directory = Setting(requiredPath: "directory", "Where to.")
    static let failing = Setting("isFailing", default: false, "Whether it throws after writing.")
    override static var settings: [any SettingDeclaration] { [directory, failing] }
    private var configuration: Configuration
    private var folder: OutputDirectory?

    required init(configuration: Configuration) throws {
        self.configuration = configuration
        try super.init(configuration: configuration)
    }

    override func start() throws {
        folder = try OutputDirectory(path: configuration[Self.directory])
    }

    override func process(_ frame: Frame) throws -> Frame? {
        guard let folder else { return nil }
        try outputFiles.stage(
            in: folder, name: "\(frame.frameId).txt", frame: frame, overwrite: false
        ) { descriptor in
            WrittenFile(byteCount: 0, checksum: 0)
        }
        if configuration[Self.failing] { throw EvenOnly.Unlucky() }
        return frame
    }
}

/// Gives frames an attribute of as many characters as their id.
final class LongAttribute: UserDataProcessor {
    override func process(_ frame: Frame) throws -> Frame? {
        frame.attributes.set("long", .string(String(repeating: "x", count: Int(frame.frameId))))
        return frame
    }

    override func getStats() -> [String: StatisticValue] {
        ["good": .unsigned(1), String(repeating: "k", count: 5000): .unsigned(2)]
    }
}
