import ControllerRuntime
import NDArrays
import Synchronization

/// Gives images whose pixels follow from their number.
final class CountingSource: FrameSource {
    let information: SourceInformation
    private let count: Int
    private let side: Int
    private let announced = Mutex(0)

    init(count: Int, side: Int = 16) {
        self.count = count
        self.side = side
        var information = SourceInformation(
            name: "counting", frameCount: count, slotByteCount: side * side * 2)
        information.fingerprint = "counting to \(count), \(side)"
        self.information = information
    }

    func next() throws -> FrameAnnouncement? {
        let number = announced.withLock { number in
            number += 1
            return number
        }
        guard number <= count else { return nil }
        let layout = try ArrayLayout(.uint16, width: side, height: side)
        return FrameAnnouncement(
            .image(layout, byteCount: layout.byteCount),
            timeStamp: TimeStamp(secondsPastEpoch: Int64(number)))
    }

    func fill(_ destination: UnsafeMutableRawBufferPointer) throws {
        let number = announced.withLock { $0 }
        destination.bindMemory(to: UInt16.self).update(repeating: UInt16(number & 0xFFFF))
    }
}
