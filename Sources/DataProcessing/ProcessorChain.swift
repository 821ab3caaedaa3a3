import Glibc

/// Which hook of which processor threw.
package struct ProcessorFailure: Error, CustomStringConvertible {
    /// The name of the processor.
    package let processorName: String
    /// Its place in the pipeline.
    package let processorId: Int
    /// The hook.
    package let command: ProcessorLifeCycle.Command
    /// What it threw.
    package let error: any Error

    /// What it threw, as text.
    package var reason: String { String(describing: error) }

    /// One sentence for people.
    package var description: String { "\(processorName) (\(command.rawValue)): \(reason)" }
}

/// What became of a frame in a chain.
package enum ChainOutcome {
    /// It gave the `outputs` of the chain, at least one.
    case processed
    /// A processor filtered it, or all of its outputs.
    case filtered
    /// A processor threw; there are no outputs.
    case failed(ProcessorFailure)
    /// A processor threw because the place of a file can't take it now: the frame is to come again, and
    /// no processor has counted it.
    case held(reason: String)
}

/// The processors of one worker, one after the other on the same frame, without copies between
/// them.
///
/// A frame goes through all of them before the next one comes. Where a processor gives several
/// outputs, each goes through the rest of the chain in the order given; if one of them fails, the
/// frame fails as a whole and has no outputs. One thread uses a chain; `counters` may be read from
/// any.
package final class ProcessorChain {
    /// A processor with its configuration and its counters.
    package final class Link {
        /// The processor.
        package let processor: UserDataProcessor
        /// The name.
        package let name: String
        /// The configuration in use.
        package internal(set) var configuration: Configuration
        /// How far it is.
        package internal(set) var lifeCycle = ProcessorLifeCycle()
        /// The framework's counters.
        package let counters = LiveCounters()
        let inputKind: PayloadKind?

        /// A processor with the configuration it was made with.
        package init(_ processor: UserDataProcessor, _ configuration: Configuration) {
            self.processor = processor
            self.configuration = configuration
            name = type(of: processor).processorName
            inputKind = processor.getInputType()
        }

        func failure(_ command: ProcessorLifeCycle.Command, _ error: any Error) -> ProcessorFailure
        {
            ProcessorFailure(
                processorName: name, processorId: processor.processorId, command: command,
                error: error)
        }

        /// Calls a hook if it is its time; a throw leaves the state as it was.
        func call<Result>(
            _ command: ProcessorLifeCycle.Command, _ hook: () throws -> Result
        ) throws(ProcessorFailure) -> Result {
            do {
                let before = try lifeCycle.accept(command, processor: name)
                do {
                    return try hook()
                } catch {
                    lifeCycle.undo(to: before)
                    throw error
                }
            } catch {
                throw failure(command, error)
            }
        }
    }

    /// The processors in order.
    package let links: [Link]
    /// The outputs of the last frame, in order; valid until `finish`.
    package private(set) var outputs: [Frame] = []
    private let outlet: ProcessorOutlet
    private var source: Frame?
    /// Frames made for the current source frame, all of which come back at its end.
    private var made: [Frame] = []
    /// Where the processors stage files, which knows whose fault a failure was.
    var staging: StagedOutputFiles?
    /// What the calls for the current frame came to: counted once it is known that it does not come
    /// again.
    private var calls: [Call] = []

    /// One call of `process`.
    private struct Call {
        var index: Int
        var frameId: UInt64
        var bytesIn: Int
        var nanoseconds: UInt64
        /// Nil when it threw.
        var outputs: (count: Int, byteCount: Int)?
    }

    /// What a processor threw that took neither a new configuration nor the one before: it is not to
    /// get another frame. nil as a rule.
    package internal(set) var brokenBy: ProcessorFailure?

    /// A chain of processors that have been made but not configured, which take memory from
    /// `memory`.
    package init(_ links: [Link], memory: any FrameMemory) {
        self.links = links
        outlet = ProcessorOutlet(memory: memory)
        for link in links { link.processor.outlet = outlet }
    }

    /// The counters of every processor, which another thread may read while a frame is processed.
    package var counters: [LiveCounters] { links.map(\.counters) }

    /// What the last frame was called where it was sealed, empty unless a processor decrypted it.
    package var claims: [FrameClaim] { outlet.claims }

    /// How many output slots a frame may need at the same time: the product over the chain.
    package var maximumOutputCount: Int {
        links.reduce(1) { product, link in
            let count = max(type(of: link.processor).maximumOutputCount, 1)
            return min(product * count, FrameKey.maximumOutputCount)
        }
    }

    /// Runs the processors on `frame`, which `reset` has filled. Afterwards take the regions of the
    /// `outputs` that are to be kept (`takeRegion`) and call `finish`.
    package func process(_ frame: Frame) -> ChainOutcome {
        // The runtime fills the same frame again and again; it is not the old one that ends here.
        if source === frame { source = nil }
        finish()
        source = frame
        if !outlet.claims.isEmpty { outlet.claims.removeAll(keepingCapacity: true) }
        if let failure = run(frame, from: 0) {
            finish()
            if let reason = staging?.trouble {
                calls.removeAll(keepingCapacity: true)
                return .held(reason: reason)
            }
            count()
            return .failed(failure)
        }
        count()
        return outputs.isEmpty ? .filtered : .processed
    }

    /// Ends the frame: closes it and its outputs, and gives back all regions that were not taken.
    package func finish() {
        outputs.removeAll(keepingCapacity: true)
        while let frame = made.popLast() { outlet.recycle(frame) }
        source?.releaseRegion()
        source = nil
    }

    private func count() {
        for call in calls {
            links[call.index].counters.record(
                frameId: call.frameId, bytesIn: call.bytesIn, nanoseconds: call.nanoseconds,
                call.outputs)
        }
        calls.removeAll(keepingCapacity: true)
    }

    private func run(_ first: Frame, from position: Int) -> ProcessorFailure? {
        var frame = first
        for index in position..<links.count {
            do {
                switch try call(index, frame) {
                case .none: return nil
                case .one(let next): frame = next
                case .several(let results):
                    for result in results {
                        if let failure = run(result, from: index + 1) { return failure }
                    }
                    return nil
                }
            } catch {
                return error
            }
        }
        outputs.append(frame)
        return nil
    }

    fileprivate enum Results {
        case none
        case one(Frame)
        case several([Frame])
    }

    private func call(_ index: Int, _ frame: Frame) throws(ProcessorFailure) -> Results {
        let link = links[index]
        let byteCount = frame.byteCount
        let (key, started) = (frame.key, monotonicNanoseconds())
        do {
            try link.lifeCycle.accept(.process, processor: link.name)
            if let needed = link.inputKind, needed != frame.payloadKind {
                throw ProcessingError.wrongPayload(
                    processor: link.name, needed: needed, had: frame.payloadKind)
            }
            outlet.current = frame
            let returned = try link.processor.process(frame)
            let duration = monotonicNanoseconds() - started
            let results = try collect(returned, of: link, for: frame, key: key)
            calls.append(
                Call(
                    index: index, frameId: key.frameId, bytesIn: byteCount, nanoseconds: duration,
                    outputs: results.totals))
            return results
        } catch {
            endCall()
            calls.append(
                Call(
                    index: index, frameId: key.frameId, bytesIn: byteCount,
                    nanoseconds: monotonicNanoseconds() - started, outputs: nil))
            throw link.failure(.process, error)
        }
    }

    /// Puts together what a processor handed on and what it returned; frames that are none of it
    /// give their memory back.
    private func collect(
        _ returned: Frame?, of link: Link, for frame: Frame, key: FrameKey
    ) throws(ProcessingError) -> Results {
        // Nearly every frame: one comes in and the same, or none, comes out. No array is made.
        if outlet.emitted.isEmpty, returned === frame || returned == nil {
            endCall()
            if returned == nil { drop(frame) }
            return returned == nil ? .none : .one(frame)
        }
        var results = outlet.emitted
        if let returned, !results.contains(where: { $0 === returned }) {
            let isOurs = returned === frame || outlet.made.contains { $0 === returned }
            guard isOurs, returned.isOpen else {
                throw .staleOutput(processor: link.name)
            }
            results.append(returned)
        }
        endCall()
        if results.count == 1 {
            results[0].reopen(key: key)
            if results[0] !== frame { drop(frame) }
            return .one(results[0])
        }
        if !results.contains(where: { $0 === frame }) { drop(frame) }
        for (index, result) in results.enumerated() {
            guard let child = key.child(index) else {
                throw index < FrameKey.maximumOutputCount
                    ? .branchTooDeep(limit: FrameKey.maximumDepth)
                    : .tooManyOutputs(limit: FrameKey.maximumOutputCount)
            }
            result.reopen(key: child)
        }
        return results.isEmpty ? .none : .several(results)
    }

    /// A frame that is no output: its memory serves the next ones already.
    private func drop(_ frame: Frame) {
        if frame === source { frame.close() }
        frame.releaseRegion()
    }

    private func endCall() {
        outlet.current = nil
        outlet.emitted.removeAll(keepingCapacity: true)
        guard !outlet.made.isEmpty else { return }
        made.append(contentsOf: outlet.made)
        outlet.made.removeAll(keepingCapacity: true)
    }
}

extension ProcessorChain.Results {
    /// Number and bytes of the outputs.
    fileprivate var totals: (count: Int, byteCount: Int) {
        switch self {
        case .none: (0, 0)
        case .one(let frame): (1, frame.byteCount)
        case .several(let frames): (frames.count, frames.reduce(0) { $0 + $1.byteCount })
        }
    }
}

/// Nanoseconds of the machine's monotonic clock.
package func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
