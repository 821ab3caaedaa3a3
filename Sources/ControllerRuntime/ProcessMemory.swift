internal import Glibc

/// How much memory a process has of its own.
enum ProcessMemory {
    /// Room for `/proc/PID/status`, which is about 1.5 KiB.
    private static let maximumByteCount = 8192

    /// Bytes of the process that are its own and nobody else's: `RssAnon` plus `VmSwap` of
    /// `/proc/PID/status` (man 5 proc). Pages of shared pools and of files are not among them. Nil when
    /// the process is gone or the system does not say.
    static func ownByteCount(ofProcess id: Int32) -> UInt64? {
        let file = open("/proc/\(id)/status", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        return withUnsafeTemporaryAllocation(byteCount: maximumByteCount, alignment: 1) { buffer in
            let count = read(file, buffer.baseAddress, buffer.count)
            guard count > 0 else { return nil }
            return ownByteCount(inStatus: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// The same from the text of the file.
    static func ownByteCount(inStatus text: some Collection<UInt8>) -> UInt64? {
        guard let resident = kibibytes("RssAnon:", in: text) else { return nil }
        let (sum, overflow) = resident.addingReportingOverflow(kibibytes("VmSwap:", in: text) ?? 0)
        let (product, isTooLarge) = sum.multipliedReportingOverflow(by: 1024)
        return overflow || isTooLarge ? .max : product
    }

    /// The number in a line such as `RssAnon:     1234 kB`; nil when there is no such line.
    private static func kibibytes(_ key: String, in text: some Collection<UInt8>) -> UInt64? {
        for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: key.utf8) {
            let digits = line.dropFirst(key.utf8.count)
                .drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
                .prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            return UInt64(String(decoding: Array(digits), as: UTF8.self))
        }
        return nil
    }
}
