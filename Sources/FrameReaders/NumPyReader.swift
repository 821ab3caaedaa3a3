public import NDArrays
import TIFF

/// Reads frames from `.npy` files, formats 1.0 to 3.0, in both byte orders.
///
/// One axis is a line, two are one image, three are images along the first axis, four with 3 at the
/// end are RGB1 images along the first axis. Fortran order is read for one and two axes, by
/// transposing.
public final class NumPyReader {
    /// The file's path.
    public let path: String
    /// Number of frames.
    public let frameCount: Int
    /// The layout that all frames share.
    public let layout: ArrayLayout
    private let file: InputFile
    private let header: NumPyHeader
    private let dataOffset: UInt64

    /// Opens `path`, reads its header and compares it with the size of the file.
    ///
    /// - Throws: `FrameReaderError`.
    public init(path: String) throws(FrameReaderError) {
        self.path = path
        do throws(InputFile.Fault) {
            file = try InputFile(path: path)
        } catch {
            throw FrameReaderError(path: path, .init(error))
        }
        (header, dataOffset) = try Self.readHeader(file)
        (layout, frameCount) = try Self.frames(header, path: path)
        let (pixels, overflow) = UInt64(layout.byteCount).multipliedReportingOverflow(
            by: UInt64(frameCount))
        let (end, endOverflow) = pixels.addingReportingOverflow(dataOffset)
        guard !overflow, !endOverflow, end <= file.byteCount else {
            throw FrameReaderError(
                path: path, .truncated(needed: overflow ? .max : end, had: file.byteCount))
        }
    }

    private static func readHeader(
        _ file: InputFile
    ) throws(FrameReaderError) -> (NumPyHeader, UInt64) {
        let path = file.path
        let start = try bytes(of: file, at: 0, count: Int(min(file.byteCount, 12)))
        let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]
        guard start.starts(with: magic) else { throw FrameReaderError(path: path, .notNumPy) }
        guard start.count == 12 else {
            throw FrameReaderError(path: path, .truncated(needed: 12, had: file.byteCount))
        }
        guard (1...3).contains(start[6]) else {
            throw FrameReaderError(path: path, .unsupported("format version \(start[6])"))
        }
        let place = start[6] == 1 ? 10 : 12
        let length = start[8..<place].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= NumPyHeader.maximumByteCount else {
            throw FrameReaderError(
                path: path,
                .unsupported("a header of \(length) bytes (limit \(NumPyHeader.maximumByteCount))"))
        }
        let text = try bytes(of: file, at: UInt64(place), count: length)
        do throws(NumPyHeader.Fault) {
            return (try NumPyHeader(text), UInt64(place + length))
        } catch {
            switch error {
            case .damaged(let fact, let position):
                throw FrameReaderError(
                    path: path, .damaged(fact, byteOffset: UInt64(place + position)))
            case .unsupported(let fact):
                throw FrameReaderError(path: path, .unsupported(fact))
            }
        }
    }

    private static func bytes(
        of file: InputFile, at offset: UInt64, count: Int
    ) throws(FrameReaderError) -> [UInt8] {
        do throws(InputFile.Fault) {
            return try file.copy(at: offset, count: count)
        } catch {
            throw FrameReaderError(path: file.path, .init(error))
        }
    }

    private static func frames(
        _ header: NumPyHeader, path: String
    ) throws(FrameReaderError) -> (ArrayLayout, Int) {
        let shape = header.shape
        let isFortran = header.isFortranOrder && shape.count > 1
        guard !isFortran || shape.count == 2 else {
            throw FrameReaderError(
                path: path,
                .unsupported(
                    "Fortran order of \(shape.count) axes; save numpy.ascontiguousarray(array)"))
        }
        func side(_ axis: Int) -> NDDimension { NDDimension(size: shape[axis]) }
        let dimensions: NDDimensions
        var (mode, count) = (ColorMode.mono, 1)
        switch shape.count {
        case 1: dimensions = NDDimensions(side(0))
        case 2: dimensions = NDDimensions(side(1), side(0))
        case 3: (dimensions, count) = (NDDimensions(side(2), side(1)), shape[0])
        case 4 where shape[3] == 3:
            (dimensions, mode, count) = (NDDimensions(side(3), side(2), side(1)), .rgb1, shape[0])
        default:
            throw FrameReaderError(
                path: path, .unsupported("shape \(shape); one to three axes, or four with 3 last"))
        }
        do throws(NDArrayError) {
            let layout = try ArrayLayout(
                elementType: header.elementType, dimensions: dimensions, colorMode: mode)
            return (layout, count)
        } catch {
            throw FrameReaderError(
                path: path, .damaged("shape \(shape): \(error)", byteOffset: nil))
        }
    }

    /// Fills `destination` with a frame's pixels, x fastest, in the machine's byte order.
    ///
    /// - Throws: `FrameReaderError`; what the destination then holds is undefined.
    public func readPixels(
        _ index: Int, into destination: UnsafeMutableRawBufferPointer
    ) throws(FrameReaderError) {
        guard index >= 0, index < frameCount else {
            throw FrameReaderError(path: path, index: index, .noSuchFrame(had: frameCount))
        }
        guard destination.count == layout.byteCount else {
            throw FrameReaderError(
                path: path, index: index,
                .byteCountMismatch(needed: layout.byteCount, had: destination.count))
        }
        do throws(InputFile.Fault) {
            if header.isFortranOrder, header.shape.count == 2 {
                try readTransposed(into: destination)
            } else {
                let offset = dataOffset + UInt64(index) * UInt64(layout.byteCount)
                try file.read(into: destination, at: offset)
            }
        } catch {
            throw FrameReaderError(path: path, index: index, .init(error))
        }
        if header.isSwapped {
            swapBytes(destination, elementByteCount: layout.elementType.byteCount)
        }
    }

    /// Reads some columns at a time, each of which lies together in the file.
    private func readTransposed(
        into destination: UnsafeMutableRawBufferPointer
    ) throws(InputFile.Fault) {
        let (width, height) = (layout.width, layout.height)
        let size = layout.elementType.byteCount
        // About 1 MiB: larger pieces save nothing.
        let columns = max(1, min(width, (1 << 20) / (height * size)))
        let block = UnsafeMutableRawBufferPointer.allocate(
            byteCount: columns * height * size, alignment: 16)
        defer { block.deallocate() }
        for first in stride(from: 0, to: width, by: columns) {
            let count = min(columns, width - first)
            let part = UnsafeMutableRawBufferPointer(rebasing: block[0..<count * height * size])
            try file.read(into: part, at: dataOffset + UInt64(first * height * size))
            for y in 0..<height {
                for x in 0..<count {
                    let target = destination.baseAddress! + (y * width + first + x) * size
                    target.copyMemory(
                        from: part.baseAddress! + (x * height + y) * size, byteCount: size)
                }
            }
        }
    }
}

extension FrameReaderError.Reason {
    /// The reason for a fault of the file.
    init(_ fault: InputFile.Fault) {
        self =
            switch fault {
            case .systemCall(let name, let errno): .systemCall(name: name, errno: errno)
            case .notARegularFile: .notARegularFile
            case .ended(let needed, let had): .truncated(needed: needed, had: had)
            }
    }
}
