import Foundation

/// The bytes of the file at `path`; throws when it cannot be read.
public func contents(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: path)))
}

/// Makes the file at `path`, or empties and fills it; throws when it cannot be written.
public func store(_ bytes: some Collection<UInt8>, _ path: String) throws {
    try Data(bytes).write(to: URL(filePath: path))
}

/// Makes or empties the file at `path` and lends its descriptor, open for reading and writing;
/// throws what `body` throws, or a `POSIXError` when the file cannot be opened.
public func withDescriptor<Result>(
    _ path: String, _ body: (Int32) throws -> Result
) throws -> Result {
    let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    defer { close(descriptor) }
    return try body(descriptor)
}
