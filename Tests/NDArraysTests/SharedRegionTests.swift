import CLinux
import Glibc
import NDArrays
import Testing

@Suite("Shared memory")
struct SharedRegionTests {
    @Test("What one side writes the other reads, in whole pages")
    func sharing() throws {
        let region = try SharedRegion(name: "test", byteCount: 5000)
        #expect(region.byteCount == 8192)
        let view = try MappedRegion(
            descriptor: region.readOnlyDescriptor, byteCount: 8192, isWritable: false)
        let other = try MappedRegion(
            descriptor: region.descriptor, byteCount: 8192, isWritable: true)
        region.base.storeBytes(of: 0x1234, toByteOffset: 8188, as: UInt16.self)
        #expect(view.base.load(fromByteOffset: 8188, as: UInt16.self) == 0x1234)
        other.base.storeBytes(of: 7, as: UInt8.self)
        #expect(region.base.load(as: UInt8.self) == 7)
    }

    @Test("It can neither grow nor shrink, and is closed at exec")
    func seals() throws {
        let region = try SharedRegion(name: "test", byteCount: 4096)
        #expect(ftruncate(region.descriptor, 8192) == -1)
        #expect(ftruncate(region.descriptor, 0) == -1)
        for descriptor in [region.descriptor, region.readOnlyDescriptor] {
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
        }
    }

    @Test("The read-only descriptor cannot be mapped for writing, or written")
    func readOnly() throws {
        let region = try SharedRegion(name: "test", byteCount: 4096)
        do throws(NDArrayError) {
            _ = try MappedRegion(
                descriptor: region.readOnlyDescriptor, byteCount: 4096, isWritable: true)
            Issue.record("a read-only descriptor was mapped for writing")
        } catch {
            guard case .memoryRefused(_, 4096, EACCES) = error else {
                Issue.record("another error: \(error)")
                return
            }
        }
        #expect(write(region.readOnlyDescriptor, "x", 1) == -1)
    }

    @Test("Writing to a read-only mapping ends the process")
    func writingTraps() async {
        await #expect(processExitsWith: .failure) {
            let region = try SharedRegion(name: "test", byteCount: 4096)
            let view = try MappedRegion(
                descriptor: region.readOnlyDescriptor, byteCount: 4096, isWritable: false)
            view.base.storeBytes(of: 1, as: UInt8.self)
        }
    }

    @Test("Sizes that cannot be are refused", arguments: [0, -1, .min, .max, 1 << 47] as [Int])
    func badSizes(byteCount: Int) {
        #expect(throws: NDArrayError.self) {
            _ = try SharedRegion(name: "test", byteCount: byteCount)
        }
    }

    @Test("A mapping larger than its file is refused, and a descriptor that is none")
    func shortFiles() throws {
        let region = try SharedRegion(name: "test", byteCount: 4096)
        let descriptor = region.descriptor
        #expect(throws: NDArrayError.byteCountMismatch(needed: 8192, had: 4096)) {
            _ = try MappedRegion(descriptor: descriptor, byteCount: 8192, isWritable: true)
        }
        for byteCount in [0, -1] {
            #expect(throws: NDArrayError.self) {
                _ = try MappedRegion(
                    descriptor: descriptor, byteCount: byteCount, isWritable: true)
            }
        }
        #expect(throws: NDArrayError.self) {
            _ = try MappedRegion(descriptor: -1, byteCount: 4096, isWritable: false)
        }
    }
}
