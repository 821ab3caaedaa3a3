/// The files of the checkout that the tests were compiled from.
public enum Checkout {
    /// The path of the folder that holds `Package.swift`.
    public static let path =
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    /// The path of `Tests/Fixtures`.
    public static let fixtures = path + "/Tests/Fixtures"

    /// The bytes of a file of `Tests/Fixtures` (`wire/empty.bin`); throws when it cannot be read.
    public static func fixture(_ name: String) throws -> [UInt8] {
        try contents("\(fixtures)/\(name)")
    }
}
