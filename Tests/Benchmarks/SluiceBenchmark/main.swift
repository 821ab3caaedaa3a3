import Glibc

/// One trial of Sluice for scripts/bench: prints one line of JSON, or says on standard error why not.
do {
    let options = try Options(Array(CommandLine.arguments.dropFirst()))
    let result: TrialResult
    switch options.load {
    case "hand-over", "sum", "write": result = try await stream(options)
    case "latency": result = try await latency(options)
    case "control": result = try await control(options)
    case "process": result = try process(options)
    case "routing": result = try routing(options)
    case "rendering": result = try rendering(options)
    case "exporting": result = try exporting(options)
    default: throw BenchmarkError("\(options.load) is no load")
    }
    print(try result.line())
} catch {
    var sentence = "SluiceBenchmark: \(error)\n"
    _ = sentence.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(1)
}
