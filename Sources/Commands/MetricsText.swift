internal import ControllerRuntime
internal import RunTelemetry
internal import Telemetry

/// Statistics of a run in the formats of other systems.
enum MetricsText {
    /// The text of a record, with its line feeds; `table` and `json` are not of this kind and empty.
    static func text(
        of record: RunStatisticsRecord, runId: String, format: StatisticsFormat
    ) -> String {
        let set = RunMetrics.results(of: record, runId: runId)
        switch format {
        case .table, .json: return ""
        case .graphite:
            return GraphiteRender(prefix: "sluice", excludedTags: RunMetrics.tagsOutsidePaths).text(
                of: set)
        case .influx: return InfluxRender().text(of: set)
        case .csv: return CSVRender().text(of: set)
        case .prometheus:
            let render = PrometheusRender()
            render.process(set)
            return render.page(.text)
        }
    }
}
