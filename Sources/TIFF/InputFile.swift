import CLinux
import Glibc

/// The system's words for an `errno`.
package func systemErrorText(_ code: Int32) -> String {
    String(cString: strerror(code))
}

/// The `errno` of the calling thread.
func systemErrorNumber() -> Int32 { errno }

/// close(2), for a descriptor that nobody owns.
func closeDescriptor(_ descriptor: Int32) { Glibc.close(descriptor) }

/// A file open for reading at any place; it closes its descriptor when it goes.
package final class InputFile {
    /// Why a file could not be opened or read.
    package enum Fault: Error, Equatable {
        /// A call failed with this `errno`.
        case systemCall(name: String, errno: Int32)
        /// A folder, a pipe or a device.
        case notARegularFile
        /// The file ends before the bytes that were asked for.
        case ended(needed: UInt64, had: UInt64)
    }

    /// Bytes that the window keeps: the directory and texts of an ordinary file at once.
    static let windowByteCount = 16 << 10
    /// Bytes before the place asked for that come with it, since many writers put texts before the
    /// directory.
    static let windowLead: UInt64 = 4 << 10

    /// The path it was opened with.
    package let path: String
    /// Bytes of the file when it was opened.
    package let byteCount: UInt64
    /// The open descriptor, owned by this object.
    package let descriptor: Int32
    private let window: UnsafeMutableRawBufferPointer
    private var windowOffset: UInt64 = 0
    private var windowCount = 0

    /// Opens `path`.
    ///
    /// - Throws: `Fault` with the `errno`, or for what is not a regular file.
    package init(path: String) throws(Fault) {
        // O_NONBLOCK: opening a pipe must not wait for its other end.
        let descriptor = cl_open(path, O_RDONLY | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw .systemCall(name: "open", errno: errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw .systemCall(name: "fstat", errno: code)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            Glibc.close(descriptor)
            throw .notARegularFile
        }
        self.path = path
        self.descriptor = descriptor
        byteCount = UInt64(status.st_size)
        window = .allocate(byteCount: Self.windowByteCount, alignment: 16)
    }

    deinit {
        window.deallocate()
        Glibc.close(descriptor)
    }

    /// Fills `destination` with the bytes from `offset`.
    ///
    /// - Throws: `Fault`; what the destination then holds is undefined.
    package func read(
        into destination: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(Fault) {
        try check(offset, UInt64(destination.count))
        var done = 0
        while done < destination.count {
            let part = pread(
                descriptor, destination.baseAddress! + done, destination.count - done,
                off_t(offset) + off_t(done))
            if part > 0 {
                done += part
            } else if part == 0 {
                throw .ended(
                    needed: offset + UInt64(destination.count), had: offset + UInt64(done))
            } else if errno != EINTR {
                throw .systemCall(name: "pread", errno: errno)
            }
        }
    }

    /// A few bytes, through the window: valid until the next call. At most `windowByteCount -
    /// windowLead`.
    ///
    /// - Throws: `Fault`.
    package func bytes(at offset: UInt64, count: Int) throws(Fault) -> UnsafeRawBufferPointer {
        precondition(count <= Self.windowByteCount - Int(Self.windowLead))
        try check(offset, UInt64(count))
        if offset < windowOffset || offset + UInt64(count) > windowOffset + UInt64(windowCount) {
            let start = offset > Self.windowLead ? offset - Self.windowLead : 0
            let room = min(UInt64(Self.windowByteCount), byteCount - start)
            windowCount = 0
            try read(into: .init(rebasing: window[0..<Int(room)]), at: start)
            (windowOffset, windowCount) = (start, Int(room))
        }
        let first = Int(offset - windowOffset)
        return UnsafeRawBufferPointer(rebasing: window[first..<first + count])
    }

    /// Any number of bytes, copied; the count is checked against the file before it is allocated.
    ///
    /// - Throws: `Fault`.
    package func copy(at offset: UInt64, count: Int) throws(Fault) -> [UInt8] {
        try check(offset, UInt64(count))
        if count <= Self.windowByteCount - Int(Self.windowLead) {
            return [UInt8](try bytes(at: offset, count: count))
        }
        var copied = [UInt8](repeating: 0, count: count)
        var fault: Fault?
        copied.withUnsafeMutableBytes { destination in
            do throws(Fault) {
                try read(into: destination, at: offset)
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
        return copied
    }

    private func check(_ offset: UInt64, _ count: UInt64) throws(Fault) {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow, end <= byteCount else {
            throw .ended(needed: overflow ? .max : end, had: byteCount)
        }
    }
}
