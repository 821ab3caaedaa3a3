import DataProcessing
import NDArrays

@testable import Encryption

/// The pickle in an encrypted object of PvaPy, and the object around it.
enum PvaPyPickles: FuzzTarget {
    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        try checkObject(bytes)
        let plain: PlainFrame
        let payload: Range<Int>
        do {
            (plain, payload) = try read(bytes)
        } catch {
            return try expect(!error.description.isEmpty, "an error says what is wrong")
        }
        try expect(payload.upperBound <= bytes.count, "pixels lie in the pickle", [payload])
        try expect(plain.byteCount == payload.count, "pixels are counted", [plain])
        try expectSameFrame(plain, UnsafeRawBufferPointer(rebasing: bytes[payload]))
    }

    private static func read(
        _ bytes: UnsafeRawBufferPointer
    ) throws(EncryptionError) -> (PlainFrame, Range<Int>) {
        var unpickler = Unpickler(bytes)
        let object = try unpickler.run()
        var reader = PvaPyReader(unpickler)
        return try reader.frame(object)
    }

    /// What was read is written and read again.
    private static func expectSameFrame(
        _ plain: PlainFrame, _ pixels: UnsafeRawBufferPointer
    ) throws {
        if case .image(let layout) = plain.content {
            // PvaPy's fields have 32 bits.
            let fits = layout.dimensions.allSatisfy {
                Int32(exactly: $0.offset) != nil && Int32(exactly: $0.fullSize) != nil
            }
            guard fits else { return }
        }
        let pickle: [UInt8]
        do {
            pickle = try PvaPyWriter.pickle(plain, pixels)
        } catch {
            guard case .noPvaPyForm = error else { throw error }
            return
        }
        try pickle.withUnsafeBytes { bytes in
            let (again, payload) = try read(bytes)
            var wanted = plain
            if case .structure(let structure, "") = plain.content {
                wanted.content = .structure(structure, typeName: PvaPyReader.structureTypeName)
            }
            // As text, where NaN is NaN.
            try expect("\(again)" == "\(wanted)", "a frame is read as written", [again, wanted])
            try expect(
                bytes[payload].elementsEqual(pixels), "pixels are read as written", [plain])
        }
    }

    private static func checkObject(_ bytes: UnsafeRawBufferPointer) throws {
        do {
            let object = try EncryptedObject(bytes)
            try expect(object.data.upperBound <= bytes.count, "data lies in the object")
        } catch let error as EncryptionError {
            try expect(!error.description.isEmpty, "an error says what is wrong")
        }
    }
}
