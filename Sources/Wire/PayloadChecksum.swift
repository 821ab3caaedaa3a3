internal import CLinux

/// CRC32C of a payload: pixels that go inside a message have gone through a pipe, which anybody could
/// have written into.
package enum PayloadChecksum {
    /// The checksum of `bytes` behind those of which `checksum` is the one; 0 begins.
    package static func of(_ bytes: UnsafeRawBufferPointer, after checksum: UInt32 = 0) -> UInt32 {
        cl_crc32c(checksum, bytes.baseAddress, bytes.count)
    }

    /// Compares a payload with what its message says; nil: it says nothing.
    ///
    /// - Throws: `WireError.payloadChecksumMismatch`, at the first byte of the payload.
    package static func check(
        _ bytes: UnsafeRawBufferPointer, against found: UInt32?
    ) throws(WireError) {
        guard let found else { return }
        let computed = of(bytes)
        guard computed == found else {
            throw WireError(
                .payloadChecksumMismatch(found: found, computed: computed), byteOffset: 0)
        }
    }
}
