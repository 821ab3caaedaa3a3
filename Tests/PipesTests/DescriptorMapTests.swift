import Glibc
import Pipes
import Testing

@Suite("Descriptors of a child", .timeLimit(.minutes(1)))
struct DescriptorMapTests {
    let spawner: ProcessSpawner

    init() throws {
        ProcessSignals.ignoreBrokenPipe()
        spawner = try ProcessSpawner()
    }

    /// Lists what is open below 200, without opening anything for it.
    private static let listing = """
        n=0; while [ $n -lt 200 ]; do [ -e /proc/self/fd/$n ] && printf '%d ' $n; n=$((n+1)); done
        """

    @Test("A child has exactly the descriptors that were named, whatever its parent has open")
    func noLeaks() throws {
        // dup gives descriptors that are *not* close-on-exec, low and high ones.
        let leaks = (0..<5).map { _ in dup(0) } + [fcntl(0, F_DUPFD, 150)]
        defer { for leak in leaks { close(leak) } }
        let pipe = try makePipe()
        let request = shell(
            Self.listing, descriptors: [1: pipe.writer.rawValue, 5: pipe.writer.rawValue, 2: 2])
        try pipe.split { reader, writer throws in
            var child = try spawner.spawn(request)
            try writer.close()
            #expect(try reader.readText() == "0 1 2 5 ")
            #expect(try child.wait() == .exited(code: 0))
        }
    }

    @Test("Standard descriptors that are not named are /dev/null")
    func standardDescriptors() throws {
        let pipe = try makePipe()
        let request = shell(
            "readlink /proc/$$/fd/0 /proc/$$/fd/2 >&3; echo lost; echo lost >&2",
            descriptors: [3: pipe.writer.rawValue])
        try pipe.split { reader, writer throws in
            var child = try spawner.spawn(request)
            try writer.close()
            #expect(try reader.readText() == "/dev/null\n/dev/null\n")
            #expect(try child.wait() == .exited(code: 0))
        }
    }

    @Test("Numbers that change places come out right: swaps, cycles and the same number")
    func overlaps() async {
        // In a process of its own, where low numbers are free.
        await #expect(processExitsWith: .success) {
            let spawner = try ProcessSpawner()
            // Three pipes whose writing ends have numbers that a child may have too.
            let pipes = [try Ends(), try Ends(), try Ends()]
            let (a, b, c) = (pipes[0].writer, pipes[1].writer, pipes[2].writer)
            try #require(max(a, b, c) <= SpawnRequest.maximumChildDescriptor)
            let maps: [[Int32: Int32]] = [
                [a: b, b: a, c: c],  // two change places, one keeps its
                [a: b, b: c, c: a],  // all move on
                [a: a, b: a, c: a],  // one for all
                [a: c, b: b, 3: a],
            ]
            for map in maps {
                let script = map.keys.sorted().map { "printf '\($0) ' > /proc/self/fd/\($0)" }
                var request = shell(script.joined(separator: "; "), descriptors: map)
                request.descriptors[2] = 2
                var child = try spawner.spawn(request)
                #expect(try child.wait() == .exited(code: 0))
                for pipe in pipes {
                    let numbers = map.filter { $0.value == pipe.writer }.keys.sorted()
                    let expected = numbers.map { "\($0) " }.joined()
                    #expect(try pipe.takeText() == expected, "map \(map)")
                }
            }
        }
    }

    /// A pipe that is read without waiting.
    fileprivate final class Ends {
        private let ends: PipeEnds
        var writer: Int32 { ends.writer.rawValue }

        init() throws {
            ends = try makePipe()
            try ends.reader.setNonblocking(true)
        }

        func takeText() throws -> String {
            var bytes = [UInt8](repeating: 0, count: 1000)
            let result = try bytes.withUnsafeMutableBytes { area throws in
                try ends.reader.read(into: area)
            }
            guard case .bytes(let count) = result else { return "" }
            return String(decoding: bytes[..<count], as: UTF8.self)
        }
    }

    @Test("Spawning leaves no descriptor behind in the parent, also when it fails")
    func parentDescriptors() async {
        // In a process of its own, where nothing else opens files.
        await #expect(processExitsWith: .success) {
            let spawner = try ProcessSpawner()
            func openNumbers() -> [Int32] { (0..<1000).filter { isOpen($0) } }
            let before = openNumbers()
            for round in 0..<20 {
                let path = round % 2 == 0 ? "/bin/true" : "/no/such/file"
                let request = SpawnRequest(executable: path, descriptors: [1: 1, 2: 2, 9: 1])
                if var child = try? spawner.spawn(request) { _ = try child.wait() }
            }
            // Twenty rounds would leave at least ten; the language's runtime may open one of its own.
            let new = openNumbers().filter { !before.contains($0) }
            #expect(new.count < 5, "new: \(new)")
        }
    }
}
