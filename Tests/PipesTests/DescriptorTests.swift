import CLinux
import Glibc
import Pipes
import Testing

@Suite("Descriptors and pipes")
struct DescriptorTests {
    init() { ProcessSignals.ignoreBrokenPipe() }

    // Numbers from 600 up are used by nothing else in this process, so that nobody takes a number
    // between the close and the look.
    @Test("A descriptor is closed when its owner ends, closes or not at all after release")
    func closedOnce() throws {
        do {
            let owner = try OwnedDescriptor.duplicate(0, atLeast: 600)
            #expect(owner.rawValue >= 600 && isOpen(owner.rawValue))
            #expect(fcntl(owner.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        }
        #expect(!isOpen(600))
        let second = try OwnedDescriptor.duplicate(0, atLeast: 610)
        try second.close()
        #expect(!isOpen(610))
        let third = try OwnedDescriptor.duplicate(0, atLeast: 620)
        let number = third.release()
        #expect(isOpen(number))
        #expect(close(number) == 0)
    }

    @Test("An error tells the call and what to do")
    func errors() {
        #expect(throws: PipeError(.duplicate, errorNumber: EBADF)) {
            _ = try OwnedDescriptor.duplicate(9999).rawValue
        }
        #expect(
            PipeError(.makePipe, errorNumber: EMFILE).description
                == "cannot make a pipe: Too many open files (errno 24); raise the limit of open "
                + "files of this process (ulimit -n)")
    }

    @Test("A pipe is close-on-exec, gets its capacity, and blocks, ends and closes as told")
    func pipeResults() throws {
        let pipe = try makePipe(capacity: 4096)
        #expect(cl_get_pipe_capacity(pipe.writer.rawValue) == 4096)
        #expect(fcntl(pipe.reader.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        #expect(fcntl(pipe.writer.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        try pipe.split { reader, writer throws in
            try reader.setNonblocking(true)
            try writer.setNonblocking(true)
            var buffer = [UInt8](repeating: 7, count: 5000)
            try buffer.withUnsafeMutableBytes { area throws in
                #expect(try reader.read(into: area) == .wouldBlock)
                #expect(try writer.write(from: UnsafeRawBufferPointer(area)) == .bytes(4096))
                #expect(try writer.write(from: UnsafeRawBufferPointer(area)) == .wouldBlock)
                #expect(try reader.waitUntil(.readable, timeoutMilliseconds: 0) == true)
                #expect(try writer.waitUntil(.writable, timeoutMilliseconds: 0) == false)
                #expect(try reader.read(into: area) == .bytes(4096))
            }
            try writer.close()
            try reader.waitForHangUp()
            try buffer.withUnsafeMutableBytes { area throws in
                #expect(try reader.read(into: area) == .endOfFile)
            }
        }
        try makePipe().split { reader, writer throws in
            try reader.close()
            try writer.waitForHangUp()
            let byte: [UInt8] = [1]
            try byte.withUnsafeBytes { area throws in
                #expect(try writer.write(from: area) == .closed)
                #expect(throws: PipeError(.write, errorNumber: EPIPE)) { try writer.writeAll(area) }
            }
        }
    }

    @Test("A megabyte goes through a small non-blocking pipe whole")
    func writeAllWaits() throws {
        let sent = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try makePipe(capacity: 4096).split { reader, writer throws in
            try writer.setNonblocking(true)
            let number = writer.release()
            let thread = try NamedThread(name: "writer") {
                let writer = OwnedDescriptor(owning: number)
                do {
                    try sent.withUnsafeBytes { area in try writer.writeAll(area) }
                } catch {
                    Issue.record("\(error)")
                }
            }
            var received = [UInt8](repeating: 0, count: sent.count + 1)
            let count = try received.withUnsafeMutableBytes { area throws in
                try reader.readAll(into: area)
            }
            thread.join()
            #expect(count == sent.count)
            #expect(Array(received[..<count]) == sent)
        }
    }
}

@Suite("Poller, flags and threads")
struct PollerTests {
    @Test("A flag from another thread wakes the poller, and stays up until drained")
    func eventFlag() throws {
        let flag = try EventFlag()
        var poller = try Poller()
        try poller.add(flag.rawValue, token: 0xFFFF_FFFF_FFFF_FFF0, interest: .readable)
        #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
        let thread = try NamedThread(name: "signaller") {
            flag.signal()
            flag.signal()
        }
        #expect(try poller.wait() == 1)
        #expect(poller[0].token == 0xFFFF_FFFF_FFFF_FFF0)
        #expect(poller[0].isReadable && !poller[0].isHungUp)
        thread.join()
        thread.join()
        #expect(try poller.wait() == 1)
        #expect(flag.drain())
        #expect(!flag.drain())
        #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
        #expect(try !flag.wait(timeoutMilliseconds: 0))
    }

    @Test("A pipe is writable, then full, then hung up; interest can change and end")
    func pipeEvents() throws {
        ProcessSignals.ignoreBrokenPipe()
        var poller = try Poller(maximumEventCount: 4)
        let pipe = try makePipe()
        let writerNumber = pipe.writer.rawValue
        try poller.add(writerNumber, token: 1, interest: .writable)
        #expect(try poller.wait(timeoutMilliseconds: 0) == 1)
        #expect(poller[0].isWritable && !poller[0].isHungUp)
        try poller.modify(writerNumber, token: 2, interest: [])
        #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
        try pipe.split { reader, writer throws in
            try reader.close()
            try writer.waitForHangUp()
            #expect(try poller.wait(timeoutMilliseconds: 0) == 1)
            #expect(poller[0].token == 2 && poller[0].isHungUp)
            try poller.remove(writerNumber)
            #expect(try poller.wait(timeoutMilliseconds: 0) == 0)
            try writer.close()
        }
        #expect(throws: PipeError(.watch, errorNumber: EBADF)) {
            try poller.add(9999, token: 0, interest: .readable)
        }
    }

    @Test("Timeouts are rounded up and never negative")
    func timeouts() {
        #expect(Poller.timeoutMilliseconds(until: nil) == -1)
        let now = ContinuousClock.now
        #expect(Poller.timeoutMilliseconds(until: now - .seconds(5)) == 0)
        let soon = Poller.timeoutMilliseconds(until: now + .seconds(10))
        #expect(soon > 5000 && soon <= 10_000)
        #expect(Poller.timeoutMilliseconds(until: now + .seconds(1 << 40)) > 2_000_000_000)
    }

    @Test("A thread has its name, shortened to what the system keeps")
    func threadName() throws {
        let pipe = try makePipe()
        try pipe.split { reader, writer throws in
            let number = writer.release()
            let thread = try NamedThread(name: "a-name-of-more-than-15-bytes") {
                let writer = OwnedDescriptor(owning: number)
                let names = cl_open("/proc/thread-self/comm", O_RDONLY, 0)
                var name = [UInt8](repeating: 0, count: 64)
                let length = read(names, &name, name.count)
                write(writer.rawValue, name, max(0, length))
                close(names)
            }
            #expect(try reader.readText() == "a-name-of-more-\n")
            thread.join()
        }
    }
}
