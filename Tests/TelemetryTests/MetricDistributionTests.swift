import Telemetry
import TestSupport
import Testing

@Suite struct MetricDistributionTests {
    @Test(.enabled(if: Promtool.isThere, PrometheusServer.hint), .timeLimit(.minutes(1)))
    func `promtool finds nothing to say of the page of a run`() throws {
        let page = PrometheusRender.page(of: SampleRun.results, meta: ["host": "det1"])
        let (status, output) = try Promtool.check(metrics: page)
        #expect(status == 0 && output.isEmpty, "\(output)")
        #expect(page.contains("sluice_stage_workers{"))
        #expect(page.contains("sluice_processor_peak_electronvolts{"))
    }

    @Test func `A distribution that fields do not say already becomes fields in other formats`() {
        let distribution = MetricDistribution(
            "wait", unit: "s", count: 2, sum: 3,
            quantiles: [.init(0, 1), .init(0.05, 1), .init(0.5, 1.5), .init(0.999, 2), .init(1, 2)])
        #expect(
            distribution.fields.map(\.name) == [
                "waitCount", "waitSum", "waitMinimum", "waitP05", "waitP50", "waitP999",
                "waitMaximum",
            ])
        var result = MetricResult("a", distributions: [distribution])
        func text() -> String {
            InfluxRender().text(of: ResultSet(timestampNanoseconds: 1, results: [result]))
        }
        #expect(text().hasPrefix("a waitCount=2i,waitSum=3.0,waitMinimum=1.0,"))
        result.distributions[0].isAlsoInFields = true
        #expect(text() == "")
    }
}
