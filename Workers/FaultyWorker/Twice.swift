import DataProcessing

/// Gives every frame of bytes twice, as somebody does who has kept it on its way.
final class Twice: UserDataProcessor {
    override static var summary: String { "Gives every frame twice, for tests." }
    override static var maximumOutputCount: Int { 2 }

    override func getInputType() -> PayloadKind? { .bytes }

    override func process(_ frame: Frame) throws -> Frame? {
        guard case .bytes(let typeName) = frame.content else { return frame }
        let copy = try makeFrame(
            bytes: frame.withUnsafeBytes { Array($0) }, typeName: typeName)
        try updateOutputChannel(copy)
        return frame
    }
}
