import DataProcessing
import Glibc
import TestSupport
import Testing

@Suite struct ProcessorChainTests {
    @Test func `the first change copies and the next ones stay in that memory`() throws {
        var bases: [UnsafeRawPointer?] = []
        let note: (Scripted, Frame) throws -> Frame? = { _, frame in
            try frame.modifyPixels(of: UInt16.self) { pixels in pixels[0] += 1 }
            frame.withUnsafeBytes { bases.append($0.baseAddress) }
            return frame
        }
        let bench = try ChainBench([note, note])
        guard case .processed = try bench.run() else {
            Issue.record("not processed")
            return
        }
        #expect(try bench.outputs == [[2, 1, 2, 3, 4, 5, 6, 7]])
        #expect(bases[0] == bases[1])
        #expect(bases[0] != UnsafeRawPointer(bench.slot))
        #expect(bench.slot.load(as: UInt16.self) == 0)
        bench.chain.finish()
        #expect(bench.memory.takenCount == 0)
    }

    @Test func `a processor that only looks leaves the input slot in the output`() throws {
        let bench = try ChainBench([{ _, frame in frame }])
        _ = try bench.run()
        #expect(bench.chain.outputs.first?.region?.origin == .input(pool: 0, slot: 3))
        #expect(bench.memory.takenCount == 0)
    }

    /// Splits into four frames whose only difference is the first pixel.
    private func split(_ processor: Scripted, _ frame: Frame) throws -> Frame? {
        for index in 0..<4 {
            let part = try processor.makeFrame(layout: try ChainBench.layout(), of: UInt16.self) {
                for place in $0.indices { $0[place] = 0 }
                $0[0] = UInt16(index)
            }
            try processor.updateOutputChannel(part)
        }
        return nil
    }

    @Test func `every output goes through the rest of the chain, in order`() throws {
        var seen: [String] = []
        let bench = try ChainBench([
            split,
            { _, frame in
                seen.append("\(frame.key) \(frame.outputIndex) \(frame.uniqueId)")
                try frame.modifyPixels(of: UInt16.self) { $0[1] = 9 }
                return frame.outputIndex == 2 ? nil : frame
            },
        ])
        guard case .processed = try bench.run() else {
            Issue.record("not processed")
            return
        }
        #expect(seen == ["7/0 0 70", "7/1 1 70", "7/2 2 70", "7/3 3 70"])
        #expect(try bench.outputs.map { Array($0[0...1]) } == [[0, 9], [1, 9], [3, 9]])
        let counters = bench.chain.counters.map(\.snapshot)
        #expect(counters[0].received == 1 && counters[0].outputs == 4 && counters[0].bytesOut == 64)
        #expect(counters[1].received == 4 && counters[1].filtered == 1)
        #expect(counters[1].processed == 3)
        bench.chain.finish()
        #expect(bench.memory.takenCount == 0)
    }

    @Test func `a failure behind a split fails the frame and gives all memory back`() throws {
        struct Refused: Error {}
        let bench = try ChainBench([
            split, { _, frame in if frame.outputIndex == 2 { throw Refused() } else { frame } },
        ])
        guard case .failed(let failure) = try bench.run() else {
            Issue.record("no failure")
            return
        }
        #expect(failure.error is Refused)
        #expect(bench.chain.outputs.isEmpty)
        #expect(bench.memory.takenCount == 0)
        #expect(bench.chain.counters[1].snapshot.failed == 1)
        guard case .failed = try bench.run() else {
            Issue.record("no failure")
            return
        }
    }

    @Test func `outputs of outputs have the path of indexes as key`() throws {
        var keys: [String] = []
        let bench = try ChainBench([
            split, split,
            { _, frame in
                keys.append("\(frame.key)")
                return frame
            },
        ])
        _ = try bench.run(branch: 2)
        #expect(keys.count == 16)
        #expect(keys[5] == "7/1/1/1")
    }

    @Test func `one output of the frame itself keeps its key`() throws {
        let bench = try ChainBench([
            { processor, frame in
                try processor.updateOutputChannel(frame)
                return frame
            }
        ])
        _ = try bench.run(branch: 5)
        #expect(bench.chain.outputs.count == 1)
        #expect(bench.chain.outputs.first?.branch == 5)
        #expect(bench.chain.outputs.first?.region?.origin == .input(pool: 0, slot: 3))
    }

    @Test func `a frame whose place is full is held, and no processor has counted it`() throws {
        let folder = try TemporaryFolder()
        let directory = try OutputDirectory(path: folder.path)
        let files = StagedOutputFiles(runName: "r")
        struct Wrapped: Error { var cause: any Error }
        var isFull = true
        let bench = try ChainBench([
            { $1 },
            { processor, frame in
                do {
                    try processor.outputFiles.stage(
                        in: directory, name: "a", frame: frame, overwrite: false
                    ) { file in
                        if isFull {
                            throw ProcessingError.refused(
                                operation: "writing", path: "a", errno: ENOSPC)
                        }
                        return try WrittenFile(writing: [1], to: file, name: "a")
                    }
                } catch {
                    throw Wrapped(cause: error)
                }
                return frame
            },
        ])
        bench.chain.place(in: UserDataProcessor.Surroundings(outputFiles: files))
        for _ in 0..<3 {
            files.begin(attempt: 0)
            guard case .held(let reason) = try bench.run() else {
                Issue.record("it was not held")
                return
            }
            #expect(reason.contains(directory.path))
        }
        #expect(bench.chain.counters.map(\.snapshot.received) == [0, 0])
        #expect(try folder.files() == [])
        isFull = false
        files.begin(attempt: 0)
        guard case .processed = try bench.run() else {
            Issue.record("it did not go through")
            return
        }
        #expect(bench.chain.counters.map(\.snapshot.processed) == [1, 1])
        #expect(bench.chain.counters.map(\.snapshot.failed) == [0, 0])
        #expect(files.take().count == 1)
    }

    @Test func `returned frames follow those that were handed on`() throws {
        let bench = try ChainBench([
            { processor, frame in
                let other = try processor.makeFrame(structure: Structure(["a": .list([])]))
                try processor.updateOutputChannel(other)
                return frame
            }
        ])
        _ = try bench.run()
        #expect(bench.chain.outputs.map(\.payloadKind) == [.structure, .image])
        #expect(bench.chain.outputs.map(\.branch) == [1, 2])
    }

    @Test func `a frame of an earlier call or handed on twice is refused`() throws {
        var kept: Frame?
        let bench = try ChainBench([
            { processor, frame in
                if let kept { return kept }
                kept = try processor.makeFrame(layout: try ChainBench.layout())
                return kept
            }
        ])
        guard case .processed = try bench.run() else {
            Issue.record("not processed")
            return
        }
        guard case .failed(let failure) = try bench.run() else {
            Issue.record("no failure")
            return
        }
        #expect(failure.error as? ProcessingError == .staleOutput(processor: "Scripted"))
        let twice = try ChainBench([
            { processor, frame in
                try processor.updateOutputChannel(frame)
                try processor.updateOutputChannel(frame)
                return nil
            }
        ])
        guard case .failed = try twice.run() else {
            Issue.record("no failure")
            return
        }
    }

    @Test func `the 1024th output is refused`() throws {
        let bench = try ChainBench([
            { processor, _ in
                for _ in 0..<1024 {
                    try processor.updateOutputChannel(
                        try processor.makeFrame(structure: Structure()))
                }
                return nil
            }
        ])
        guard case .failed(let failure) = try bench.run() else {
            Issue.record("no failure")
            return
        }
        #expect(failure.error as? ProcessingError == .tooManyOutputs(limit: 1023))
    }

    @Test func `a frame that is not the processor's kind fails before process`() throws {
        let bench = try ChainBench([
            try HotPixels(configuration: Configuration(for: HotPixels.self))
        ])
        bench.frame.reset(
            key: FrameKey(frameId: 1), uniqueId: 1,
            content: .structure(Structure(), typeName: ""), region: nil, byteCount: 0,
            memory: bench.memory)
        guard case .failed(let failure) = bench.chain.process(bench.frame) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.reason == "HotPixels takes an image, the frame carries a structure")
    }

    @Test func `the ten lines of a processor work`() throws {
        let processor = try HotPixels(configuration: Configuration(for: HotPixels.self))
        let bench = try ChainBench([processor])
        let change = Structure(["threshold": .scalar(.string("5"))])
        try bench.chain.configure(try bench.chain.validate(change, at: 0), at: 0)
        _ = try bench.run()
        #expect(try bench.outputs == [[0, 1, 2, 3, 4, 5, 0, 0]])
        #expect(processor.replaced == 2)
        #expect(throws: ConfigurationError.self) {
            try bench.chain.validate(Structure(["threshold": .scalar(.int64(70_000))]), at: 0)
        }
        bench.chain.finish()
        try bench.chain.stop()
        guard case .failed(let failure) = try bench.run() else {
            Issue.record("no failure")
            return
        }
        #expect(failure.reason == "HotPixels can't process when it is stopped")
    }

    @Test func `a region that was taken out of an output is not given back`() throws {
        let bench = try ChainBench([
            { _, frame in
                try frame.modifyPixels(of: UInt16.self) { $0[0] = 1 }
                return frame
            }
        ])
        _ = try bench.run()
        let region = try #require(bench.chain.outputs[0].takeRegion())
        bench.chain.finish()
        #expect(bench.memory.takenCount == 1)
        #expect(region.base.load(as: UInt16.self) == 1)
        bench.memory.release(region)
    }

    @Test func `a start that throws stops those before and says who it was`() throws {
        final class Refusing: UserDataProcessor {
            override func start() throws { throw ProcessingError.badInput("x", reason: "y") }
        }
        final class Witness: UserDataProcessor {
            var hooks: [String] = []
            override func configure(_ configuration: Configuration) { hooks.append("configure") }
            override func start() { hooks.append("start") }
            override func stop() { hooks.append("stop") }
        }
        let witness = try Witness(configuration: Configuration(for: Witness.self))
        let refusing = try Refusing(configuration: Configuration(for: Refusing.self))
        let error = #expect(throws: ProcessorFailure.self) { try ChainBench([witness, refusing]) }
        #expect(error?.description == "Refusing (start): x: y")
        #expect(witness.hooks == ["configure", "start", "stop"])
    }

    @Test func `a refused change puts the old configuration back`() throws {
        final class Picky: UserDataProcessor {
            static let level = Setting("level", default: 1, "Level")
            override class var settings: [any SettingDeclaration] { [level] }
            var seen: [Int] = []
            override func configure(_ configuration: Configuration) throws {
                seen.append(configuration[Self.level])
                if configuration[Self.level] > 5 {
                    throw ProcessingError.badInput("l", reason: "big")
                }
            }
        }
        let picky = try Picky(configuration: Configuration(for: Picky.self))
        let bench = try ChainBench([picky])
        let change = try bench.chain.validate(Structure(["level": .scalar(.int64(9))]), at: 0)
        #expect(throws: ProcessorFailure.self) { try bench.chain.configure(change, at: 0) }
        #expect(picky.seen == [1, 9, 1])
        #expect(bench.chain.links[0].configuration[Picky.level] == 1)
    }
}
