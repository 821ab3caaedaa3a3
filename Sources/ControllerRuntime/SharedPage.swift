internal import NDArrays
internal import WorkerProtocol

/// One page of shared memory that the other side writes word by word.
final class SharedPage {
    private let region: SharedRegion

    /// A page of zeros.
    ///
    /// - Throws: `NDArrayError.memoryRefused`.
    init() throws(NDArrayError) {
        region = try SharedRegion(name: "sluice-status", byteCount: StatusPage.byteCount)
    }

    /// Descriptor with write access, for the worker.
    var descriptor: Int32 { region.descriptor }

    /// The 64-bit word at a byte offset. The offset is aligned, so the machine loads it whole.
    func load(_ byteOffset: Int) -> UInt64 {
        region.base.load(fromByteOffset: byteOffset, as: UInt64.self)
    }
}
