import ControllerRuntime
import Glibc
import RunTelemetry

/// What a user who looks at everything would have: a file, a destination that is not there, with a spool on
/// disk, and the page for Prometheus; a set of statistics each second.
func telemetryConfiguration(
    _ options: Options, to absent: AbsentDestination
) -> TelemetryConfiguration {
    let place = options.runDirectory ?? options.directory
    return TelemetryConfiguration(
        period: .seconds(1),
        exporters: [
            ExporterConfiguration(
                name: "file",
                destination: .file(
                    path: place + "-telemetry.jsonl", format: .json, maximumBytes: 0, keptFiles: 1)
            ),
            ExporterConfiguration(
                name: "absent",
                destination: .text(
                    host: "127.0.0.1", port: absent.port, transport: .tcp, format: .influx),
                spool: SpoolPlace(directory: place + "-spool")),
        ], prometheus: PageAddress(host: "127.0.0.1", port: UInt16(clamping: options.pagePort)))
}

/// Ends it; the number of records that the file got.
///
/// - Throws: `BenchmarkError` where a destination did not get, or not keep, what it should: then the trial
///   measured something else.
func finish(_ telemetry: RunTelemetry) async throws -> UInt64 {
    let before = telemetry.exporters.first { $0.name == "absent" }
    _ = await telemetry.finish()
    let file = telemetry.exporters.first { $0.name == "file" }
    guard let file, file.delivered > 0, let before, before.delivered == 0, before.queued > 0
    else { throw BenchmarkError("telemetry did not do its work: \(telemetry.exporters)") }
    return file.delivered
}

/// A port of the loopback that is taken, so that nobody else listens there, and refuses to be connected to.
final class AbsentDestination {
    let port: UInt16
    private let descriptor: Int32

    /// - Throws: `BenchmarkError` where there is none.
    init() throws(BenchmarkError) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.descriptor
        let status = withUnsafeMutableBytes(of: &address) { bytes -> Int32 in
            let generic = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            guard let generic, bind(descriptor, generic, size) == 0 else { return -1 }
            return getsockname(descriptor, generic, &size)
        }
        guard status == 0 else {
            close(descriptor)
            throw BenchmarkError("there is no free port: error \(errno)")
        }
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }
}
