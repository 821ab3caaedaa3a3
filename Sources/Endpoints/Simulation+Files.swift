public import FrameReaders
internal import Glibc
internal import NDArrays
internal import TIFF

extension Simulation {
    /// Writes the frames into `folder`, which is made if need be: `frame_000001.tif` and so on, one a
    /// frame, or all of them in `frames.npy`. Nothing is overwritten.
    ///
    /// - Parameter onFrame: called after each frame with the number written so far; what it throws ends
    ///   the writing.
    /// - Returns: the number of bytes of all frames, uncompressed.
    /// - Throws: `SourceError`, and the errors of the writers.
    @discardableResult
    public func write(
        to folder: String, format: FileFormat = .tiff, onFrame: (Int) throws -> Void = { _ in }
    ) throws -> Int {
        guard let count else {
            throw SourceError.invalidValue(
                kind: SourceKind.sim.name, name: "count", value: "0",
                allowed: "at least 1 for files")
        }
        try makeFolder(folder)
        switch format {
        case .tiff: try writeTIFF(count, to: folder, onFrame)
        case .npy: try writeNumPy(count, to: folder, onFrame)
        }
        return count * layout.byteCount
    }

    private func writeTIFF(_ count: Int, to folder: String, _ onFrame: (Int) throws -> Void) throws
    {
        let writer = TIFFWriter()
        let digits = max(6, "\(count)".count)
        try forEachFrame(count) { array in
            let number = "\(array.uniqueId)"
            let name =
                "frame_" + String(repeating: "0", count: digits - number.count) + number + ".tif"
            try withNewFile(Directory.join(folder, name)) { descriptor, path in
                try writer.write(array, to: descriptor, path: path)
            }
            try onFrame(Int(array.uniqueId))
        }
    }

    private func writeNumPy(_ count: Int, to folder: String, _ onFrame: (Int) throws -> Void) throws
    {
        try withNewFile(Directory.join(folder, "frames.npy")) { descriptor, path in
            var writer = try NumPyWriter(descriptor: descriptor, path: path, layout: layout)
            try forEachFrame(count) { array in
                try array.withUnsafeBytes { try writer.append($0) }
                try onFrame(Int(array.uniqueId))
            }
            try writer.finish()
        }
    }

    private func forEachFrame(_ count: Int, _ body: (borrowing NDArray) throws -> Void) throws {
        let painter = FramePainter(self)
        var array = NDArray(layout: layout)
        for position in 0..<count {
            array.uniqueId = UInt64(position + 1)
            array.timeStamp = timeStamp(of: array.uniqueId)
            array.withUnsafeMutableBytes { painter.paint(UInt64(position + 1), into: $0) }
            try body(array)
        }
    }

    /// Makes the file, hands it to `body` and closes it; a file that `body` could not finish is removed.
    private func withNewFile(_ path: String, _ body: (Int32, String) throws -> Void) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw errno == EEXIST
                ? SourceError.fileExists(path: path)
                : SourceError.notWritable(path: path, reason: SourceError.text(errno))
        }
        do {
            try body(descriptor, path)
        } catch {
            close(descriptor)
            unlink(path)
            throw error
        }
        // Network file systems say only here that the disk is full.
        guard close(descriptor) == 0 else {
            throw SourceError.notWritable(path: path, reason: SourceError.text(errno))
        }
    }

    private func makeFolder(_ path: String) throws(SourceError) {
        var partial = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            partial = Directory.join(partial, String(part))
            // What matters is whether the folder is there afterwards.
            _ = mkdir(partial, 0o777)
        }
        guard let kind = try? FileKind(path: path), kind == .folder else {
            throw .notWritable(path: path, reason: "the folder can't be made")
        }
    }
}
