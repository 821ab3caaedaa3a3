import DataProcessing
import Encryption
import Glibc
import NDArrays

// One trial of `scripts/bench --crypto`: encrypts or decrypts one image again and again for a time, and
// prints a line of JSON. Usage: CryptoBenchmark FORMAT encrypt|decrypt WIDTH SECONDS PRIVATE-KEY

/// Ends with a line on standard error.
func leave(_ line: String, _ status: Int32) -> Never {
    let bytes = Array((line + "\n").utf8)
    write(2, bytes, bytes.count)
    exit(status)
}

/// A chain of one processor.
func chain(_ name: String, _ format: String, _ key: String, _ memory: PrivateFrameMemory) throws
    -> ProcessorChain
{
    let settings = Structure([
        "privateKeyFilePath": .scalar(.string(key)), "format": .scalar(.string(format)),
    ])
    let chain = try ProcessorChain(
        [(name, settings)], registry: try ProcessorRegistry(encryptionProcessors),
        memory: memory)
    chain.place(in: UserDataProcessor.Surroundings(isFirstWorker: false))
    try chain.start()
    return chain
}

/// Runs a frame through a chain; `use` sees the output.
func pass(
    _ chain: ProcessorChain, _ frame: Frame, _ content: FrameContent,
    _ bytes: UnsafeMutableRawBufferPointer, _ memory: PrivateFrameMemory,
    _ use: (Frame) -> Void = { _ in }
) {
    guard let base = bytes.baseAddress else { return }
    let region = FrameRegion(
        base: base, byteCount: bytes.count, origin: .input(pool: 0, slot: 0))
    frame.reset(
        key: FrameKey(frameId: 1), uniqueId: 1, content: content, region: region,
        byteCount: bytes.count, memory: memory)
    guard case .processed = chain.process(frame), let output = chain.outputs.first else {
        leave("the frame failed", 1)
    }
    use(output)
    chain.finish()
}

let words = CommandLine.arguments
guard words.count == 6, let width = Int(words[3]), let seconds = Double(words[4]) else {
    leave("usage: CryptoBenchmark FORMAT encrypt|decrypt WIDTH SECONDS PRIVATE-KEY", 2)
}
// As the worker does.
PartMemory.keep()
let memory = PrivateFrameMemory()
let layout = try ArrayLayout(.uint16, width: width, height: width)
var image = [UInt8](repeating: 0, count: layout.byteCount)
for index in image.indices {
    image[index] = UInt8(truncatingIfNeeded: index &* 2_654_435_761 >> 13)
}
let encryptor = try chain("AdImageDataEncryptor", words[1], words[5], memory)
let decryptor = try chain("AdImageDataDecryptor", words[1], words[5], memory)
let frame = Frame()
var (sealed, content) = ([UInt8](), FrameContent.image(layout))
image.withUnsafeMutableBytes { bytes in
    pass(encryptor, frame, content, bytes, memory) { output in
        sealed = output.withUnsafeBytes { Array($0) }
        content = output.content
    }
}
let isEncrypting = words[2] == "encrypt"
let subject = isEncrypting ? encryptor : decryptor
var input = isEncrypting ? image : sealed
let inputContent = isEncrypting ? FrameContent.image(layout) : content
var count = 0
let started = monotonicNanoseconds()
var elapsed: UInt64 = 0
input.withUnsafeMutableBytes { bytes in
    repeat {
        pass(subject, frame, inputContent, bytes, memory)
        count += 1
        elapsed = monotonicNanoseconds() - started
    } while Double(elapsed) < seconds * 1e9
}
let rate = Double(count) * Double(layout.byteCount) / Double(elapsed) * 1e3
print("{\"frames\": \(count), \"megabytesPerSecond\": \(rate)}")
