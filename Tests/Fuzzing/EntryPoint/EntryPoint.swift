import Glibc

// Not part of the tests: `scripts/fuzz` compiles it with libFuzzer, which has the `main` and calls this. It
// defines `Target` as one of the targets.

/// One run (https://llvm.org/docs/LibFuzzer.html#fuzz-target).
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ byteCount: Int) -> CInt {
    do {
        try Target.check(UnsafeRawBufferPointer(start: start, count: byteCount))
    } catch {
        let text = "\nFINDING in \(Target.self): \(error)\n"
        _ = text.utf8.withContiguousStorageIfAvailable { write(2, $0.baseAddress, $0.count) }
        abort()
    }
    return 0
}
