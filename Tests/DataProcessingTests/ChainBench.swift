import DataProcessing

final class HotPixels: AdImageProcessor {
    static let threshold = Setting(
        "threshold", default: 60_000, in: 0...65_535, "Pixels above this value are set to 0.")
    override class var settings: [any SettingDeclaration] { [threshold] }
    private var limit: UInt16 = 0
    private(set) var replaced: UInt64 = 0
    override func configure(_ configuration: Configuration) throws {
        limit = UInt16(configuration[Self.threshold])
    }
    override func process(_ frame: Frame) throws -> Frame? {
        try frame.modifyPixels(of: UInt16.self) { pixels in
            for index in pixels.indices where pixels[index] > limit {
                pixels[index] = 0
                replaced += 1
            }
        }
        return frame
    }
}

/// Does to a frame what a closure says.
final class Scripted: UserDataProcessor {
    var script: (Scripted, Frame) throws -> Frame? = { $1 }
    override func process(_ frame: Frame) throws -> Frame? { try script(self, frame) }
    static func make(_ script: @escaping (Scripted, Frame) throws -> Frame?) throws -> Scripted {
        let made = try Scripted(configuration: Configuration(for: Scripted.self))
        made.script = script
        return made
    }
}

/// A chain with one input slot of 4 × 2 uint16 pixels, 0 to 7.
final class ChainBench {
    let chain: ProcessorChain
    let memory = PrivateFrameMemory(garbage: 0xA5)
    let frame = Frame()
    let slot = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 64)

    init(_ processors: [UserDataProcessor]) throws {
        let links = try processors.map {
            ProcessorChain.Link($0, try Configuration(for: type(of: $0)))
        }
        chain = ProcessorChain(links, memory: memory)
        try chain.start()
    }

    convenience init(_ scripts: [(Scripted, Frame) throws -> Frame?]) throws {
        try self.init(scripts.map { try Scripted.make($0) })
    }

    deinit { slot.deallocate() }

    static func layout() throws -> ArrayLayout { try ArrayLayout(.uint16, width: 4, height: 2) }

    func run(branch: UInt64 = 0) throws -> ChainOutcome {
        let pixels = slot.bindMemory(to: UInt16.self, capacity: 8)
        for index in 0..<8 { pixels[index] = UInt16(index) }
        frame.reset(
            key: FrameKey(frameId: 7, branch: branch), uniqueId: 70,
            content: .image(try Self.layout()),
            region: FrameRegion(base: slot, byteCount: 16, origin: .input(pool: 0, slot: 3)),
            byteCount: 16, memory: memory)
        return chain.process(frame)
    }

    var outputs: [[UInt16]] {
        get throws {
            try chain.outputs.map { try $0.copiedImage().elements(of: UInt16.self) }
        }
    }
}
