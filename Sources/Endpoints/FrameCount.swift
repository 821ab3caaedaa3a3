internal import FrameReaders
internal import TIFF

/// How many frames of a file can be announced, found with few reads.
struct FrameCount {
    /// Frames to be announced by reference. At least 1: what can't be read fails in its worker.
    let references: Int
    /// Why there are no more, where the file says that there should be.
    let damage: String?

    init(of path: String, format: FileFormat) {
        let reader = FrameFileReader()
        do throws(FrameReaderError) {
            references = max(try reader.frameCount(of: path, format: format), 1)
            damage = nil
        } catch {
            // The frames before the damage are there to be had, and one that is not tells why.
            var count = 0
            while count < TIFFReader.maximumPageCount,
                (try? reader.readHeader(FrameReference(format: format, path: path, index: count)))
                    != nil
            {
                count += 1
            }
            references = max(count, 1)
            damage = count > 0 ? error.description : nil
        }
    }

    /// All that will be announced.
    var announcements: Int { references + (damage == nil ? 0 : 1) }
}
