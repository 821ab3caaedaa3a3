package import ControllerRuntime
internal import Synchronization

/// Some frames of another source, chosen by their positions: those of a run that failed, say.
///
/// Each keeps the unique id that it had in the whole source, its position where the source gives none,
/// so that the files made of it have the same names.
package final class SelectedSource: FrameSource {
    private let base: any FrameSource
    private let name: String
    private let positions: FrameIdRanges
    private let count: Int
    private let position = Mutex<UInt64>(0)

    /// The frames of `base` at `positions`, counted from 1; `name` is for people.
    package init(_ base: any FrameSource, positions: FrameIdRanges, name: String) {
        self.base = base
        self.positions = positions
        self.name = name
        count = Int(clamping: positions.count)
    }

    /// Knows its number of frames. It can be taken up again where the whole source can.
    package var information: SourceInformation {
        var information = base.information
        information.name = name
        information.frameCount = count
        information.fingerprint = information.fingerprint.map { base in
            var list = TextFingerprint()
            for range in positions.ranges {
                list.add(range.lowerBound)
                list.add(range.upperBound)
            }
            return "\(count) frames (\(list.text)) of \(base)"
        }
        return information
    }

    /// The next frame that was chosen. Nothing is read after the last of them.
    package func next() throws -> FrameAnnouncement? {
        guard let last = positions.ranges.last?.upperBound else { return nil }
        var current = position.withLock { $0 }
        while current < last, var announcement = try base.next() {
            current += 1
            position.withLock { $0 = current }
            guard positions.contains(current) else { continue }
            announcement.uniqueId = announcement.uniqueId ?? current
            return announcement
        }
        return nil
    }

    /// Fills in the frame announced last.
    package func fill(_ destination: UnsafeMutableRawBufferPointer) throws {
        try base.fill(destination)
    }

    /// Ends the wait for a frame.
    package func cancel() { base.cancel() }
}
