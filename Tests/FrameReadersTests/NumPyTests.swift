import FrameReaders
import NDArrays
import Testing

@Suite struct FileFormatTests {
    @Test("the format follows from the name's ending")
    func endings() {
        #expect(FileFormat(path: "a/B.TIF") == .tiff)
        #expect(FileFormat(path: "x.tiff") == .tiff)
        #expect(FileFormat(path: "x.npy") == .npy)
        #expect(FileFormat(path: "tiff") == nil)
    }
}
