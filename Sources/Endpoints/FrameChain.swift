/// The frames of one file, found one after the other with few reads each.
struct FrameChain {
    init(_ format: FrameFileFormat, path: String) {
    }

    /// Whether there is a frame after the one at `index`.
    func hasFrame(after index: Int) -> Bool { false }

    /// Number of frames; 1 for a file that can't be read.
    func frameCount() -> Int {
        var count = 1
        while hasFrame(after: count - 1) { count += 1 }
        return count
    }
}
