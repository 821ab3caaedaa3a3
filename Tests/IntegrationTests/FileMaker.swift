import TestSupport

extension TemporaryFolder {
    /// Writes a TIFF file of one strip (TIFF 6.0 §8) that says it is `width` × `height` and has as many
    /// pixel bytes as `byteCount` says; nil: as many as it needs.
    func writeTIFF(_ name: String, width: UInt32, height: UInt32, byteCount: Int? = nil) throws {
        let claimed = min(UInt64(width) * UInt64(height), 1 << 40) * 2
        let count = byteCount ?? Int(claimed)
        var file: [UInt8] = Array("II".utf8) + Self.little(UInt16(42)) + Self.little(UInt32(8))
        let entries: [(tag: UInt16, value: UInt32)] = [
            (256, width), (257, height), (258, 16), (259, 1), (262, 1),
            (273, UInt32(8 + 2 + 9 * 12 + 4)), (277, 1), (278, height),
            (279, UInt32(clamping: claimed)),
        ]
        file += Self.little(UInt16(entries.count))
        for entry in entries {
            file += Self.little(entry.tag) + Self.little(UInt16(4)) + Self.little(UInt32(1))
            file += Self.little(entry.value)
        }
        file += Self.little(UInt32(0))
        file += (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        try write(file, to: name)
    }

    private static func little(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
