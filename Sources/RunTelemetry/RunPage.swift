internal import ControllerRuntime
internal import Synchronization
internal import Telemetry

/// What a run shows over HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever watches it.
final class RunPage: Sendable {
    private let server: PageServer

    /// The pages of a run.
    ///
    /// - Throws: `TelemetryError` when the address is none.
    init(at address: PageAddress, controller: Controller) throws(TelemetryError) {
        let kept = KeptStatistics(controller)
        server = try PageServer(at: address) { path, accept in
            switch path {
            case "/metrics": await Self.metrics(controller, kept, accept)
            case "/healthz": await Self.health(controller)
            case "/readyz": await Self.readiness(controller)
            case "/":
                Page(status: 200, text: "metrics: /metrics\nhealth: /healthz\nready: /readyz\n")
            default:
                Page(status: 404, text: "there is no \(path); see /metrics, /healthz, /readyz\n")
            }
        }
    }

    /// Listens.
    func start() async throws { try await server.start() }

    /// Ends all connections.
    func stop() async { await server.stop() }

    /// The port it listens at; nil before it does.
    var port: UInt16? { get async { await server.port } }

    private static func metrics(
        _ controller: Controller, _ kept: KeptStatistics, _ accept: String
    ) async -> Page {
        guard let status = await controller.status() else {
            return Page(status: 503, text: "the run is over\n")
        }
        var sets: [ResultSet] = []
        do {
            sets.append(RunMetrics.results(of: try await kept.record(), runId: status.runId))
        } catch {
            return Page(status: 503, text: "\(error)\n")
        }
        sets.append(
            ResultSet(
                timestampNanoseconds: sets[0].timestampNanoseconds,
                results: RunMetrics.results(of: status)
                    + RunMetrics.results(of: status.exporters, runId: status.runId)))
        let format = PrometheusRender.Format(accept: accept)
        let render = PrometheusRender()
        render.processMany(sets)
        return Page(status: 200, contentType: format.contentType, text: render.page(format))
    }

    /// The run answers: its engine is not stuck.
    private static func health(_ controller: Controller) async -> Page {
        guard let status = await controller.status() else {
            return Page(status: 503, text: "the run is over\n")
        }
        return Page(status: 200, text: "\(status.state.rawValue)\n")
    }

    /// The run takes frames, and no stage is held.
    private static func readiness(_ controller: Controller) async -> Page {
        guard let status = await controller.status() else {
            return Page(status: 503, text: "the run is over\n")
        }
        if status.state != .running {
            return Page(status: 503, text: "\(status.state.rawValue)\n")
        }
        if let stage = status.stages.first(where: { $0.held != nil }) {
            return Page(status: 503, text: "\(stage.name) is held: \(stage.held ?? "")\n")
        }
        return Page(status: 200, text: "running\n")
    }
}

/// The statistics of a run, asked for anew when they are old.
private actor KeptStatistics {
    /// Statistics that are younger are shown again: many readers do not make the workers answer more often.
    private static let freshTime: Duration = .milliseconds(100)

    private let controller: Controller
    private var last: (at: ContinuousClock.Instant, record: RunStatisticsRecord)?

    init(_ controller: Controller) { self.controller = controller }

    func record() async throws -> RunStatisticsRecord {
        if let last, ContinuousClock.now < last.at + Self.freshTime { return last.record }
        let record = try await controller.statistics()
        last = (.now, record)
        return record
    }
}
