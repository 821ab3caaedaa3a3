import Telemetry
import TestSupport
import Testing

@Suite struct PrometheusRenderTests {
    private func set(_ results: MetricResult...) -> ResultSet {
        ResultSet(timestampNanoseconds: 1, results: results)
    }

    private let stage = MetricResult(
        "stage", meta: ["stage": "ma\"in\n\\", "le": "x", "Job Id": 5],
        fields: [
            .init(
                "nProcessed", 60, kind: .counter, unit: "count",
                summary: "Frames \\ \"two\"\nlines."),
            .init("nBytesIn", 1000, kind: .counter, unit: "B"),
            .init("processingTime", 1.5, kind: .counter, unit: "s", summary: "Time."),
            .init("delay", 250, unit: "ms"), .init("isOn", true), .init("note", "text"),
            .init("rate", 5, unit: "Hz", isDerived: true), .init("temperature", .float(.nan)),
            .init("total", 1), .init("gap", .float(-.infinity), unit: "furlong"),
        ],
        distributions: [
            MetricDistribution(
                "frameTime", unit: "ms", summary: "Time of a frame.", count: 3, sum: 30,
                quantiles: [.init(0.5, 10)], buckets: [.init(upTo: 8, 1), .init(upTo: 16, 2)])
        ])

    @Test func `The page of text`() {
        let labels = #"{host="d",stage="ma\"in\n\\",le_="x",job_id="5"}"#
        let inner = labels.dropLast()
        #expect(
            PrometheusRender.page(of: set(stage), meta: ["host": "d"]) == """
                # HELP sluice_stage_processed_total Frames \\\\ "two"\\nlines.
                # TYPE sluice_stage_processed_total counter
                sluice_stage_processed_total\(labels) 60
                # HELP sluice_stage_in_bytes_total nBytesIn of stage.
                # TYPE sluice_stage_in_bytes_total counter
                sluice_stage_in_bytes_total\(labels) 1000
                # HELP sluice_stage_processing_time_seconds_total Time.
                # TYPE sluice_stage_processing_time_seconds_total counter
                sluice_stage_processing_time_seconds_total\(labels) 1.5
                # HELP sluice_stage_delay_seconds delay of stage.
                # TYPE sluice_stage_delay_seconds gauge
                sluice_stage_delay_seconds\(labels) 0.25
                # HELP sluice_stage_is_on isOn of stage.
                # TYPE sluice_stage_is_on gauge
                sluice_stage_is_on\(labels) 1.0
                # HELP sluice_stage_temperature temperature of stage.
                # TYPE sluice_stage_temperature gauge
                sluice_stage_temperature\(labels) NaN
                # HELP sluice_stage_total_value total of stage.
                # TYPE sluice_stage_total_value gauge
                sluice_stage_total_value\(labels) 1
                # HELP sluice_stage_gap gap of stage. Unit: furlong.
                # TYPE sluice_stage_gap gauge
                sluice_stage_gap\(labels) -Inf
                # HELP sluice_stage_frame_time_seconds Time of a frame.
                # TYPE sluice_stage_frame_time_seconds histogram
                sluice_stage_frame_time_seconds_bucket\(inner),le="0.008"} 1
                sluice_stage_frame_time_seconds_bucket\(inner),le="0.016"} 2
                sluice_stage_frame_time_seconds_bucket\(inner),le="+Inf"} 3
                sluice_stage_frame_time_seconds_sum\(labels) 0.03
                sluice_stage_frame_time_seconds_count\(labels) 3
                # HELP sluice_stage_frame_time_quantiles_seconds Time of a frame.
                # TYPE sluice_stage_frame_time_quantiles_seconds summary
                sluice_stage_frame_time_quantiles_seconds\(inner),quantile="0.5"} 0.01
                sluice_stage_frame_time_quantiles_seconds_sum\(labels) 0.03
                sluice_stage_frame_time_quantiles_seconds_count\(labels) 3

                """)
    }

    @Test func `The page of OpenMetrics names counters without the ending, units, and its end`() {
        let page = PrometheusRender.page(
            of: set(
                MetricResult(
                    "run",
                    fields: [
                        .init("processingTime", 2, kind: .counter, unit: "s", summary: "\"Time\"")
                    ])), format: .openMetrics)
        #expect(
            page == """
                # HELP sluice_run_processing_time_seconds \\"Time\\"
                # TYPE sluice_run_processing_time_seconds counter
                # UNIT sluice_run_processing_time_seconds seconds
                sluice_run_processing_time_seconds_total 2
                # EOF

                """)
    }

    @Test
    func `Samples of one name stand together, and the last of two with the same labels stays`() {
        func result(_ stage: String, _ value: MetricValue) -> MetricResult {
            MetricResult(
                "stage", meta: ["stage": .string(stage)],
                fields: [.init("a", value), .init("b", 0)])
        }
        let render = PrometheusRender(namespace: "x")
        render.process(set(result("one", 1), result("two", 2), result("one", 3)))
        let samples = render.page().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(
            samples == [
                #"x_stage_a{stage="one"} 3"#, #"x_stage_a{stage="two"} 2"#,
                #"x_stage_b{stage="one"} 0"#, #"x_stage_b{stage="two"} 0"#,
            ])
        #expect(render.counts.duplicates == 2)
    }

    @Test func `A name of two types is given with the first`() {
        let render = PrometheusRender()
        render.process(
            set(
                MetricResult("a", fields: [.init("b", 1, kind: .counter)]),
                MetricResult("a", meta: ["t": 1], fields: [.init("b", 1)])))
        #expect(render.counts.conflicts == 1)
        #expect(render.page().contains("# TYPE sluice_a_b_total counter\nsluice_a_b_total 1\n"))
    }

    @Test func `A counter that falls goes on from where it was`() {
        let render = PrometheusRender()
        func process(_ value: Int64) -> Substring? {
            render.process(
                set(
                    MetricResult(
                        "a",
                        fields: [.init("n", .int(value), kind: .counter), .init("g", .int(value))]))
            )
            return render.page().split(separator: "\n").first { $0.hasPrefix("sluice_a_n") }
        }
        #expect(process(5) == "sluice_a_n_total 5")
        #expect(process(9) == "sluice_a_n_total 9")
        #expect(process(2) == "sluice_a_n_total 11")
        #expect(process(3) == "sluice_a_n_total 12")
        #expect(process(0) == "sluice_a_n_total 12")
        #expect(render.page().contains("sluice_a_g 0\n"))
    }

    @Test(arguments: [
        ("nNaN", "nan"), ("NaN", "nan"), ("isNaN", "is_nan"), ("nNaNPixels", "nan_pixels"),
        ("nPixelsNaN", "pixels_nan"), ("nan", "nan"), ("NaNoCount", "na_no_count_value"),
        ("nXYPeaks", "xy_peaks"), ("n", "n"),
    ])
    func `Words of camel case are divided, and NaN is one of them`(
        _ field: String, _ name: String
    ) {
        let page = PrometheusRender.page(of: set(MetricResult("a", fields: [.init(field, 1)])))
        #expect(page.contains("\nsluice_a_\(name) 1\n"), "\(page)")
    }

    @Test(arguments: [MetricValue.float(.nan), .float(-1), .int(-1), .float(.infinity)])
    func `A counter that is no count is left out`(_ value: MetricValue) {
        let render = PrometheusRender()
        render.process(set(MetricResult("a", fields: [.init("n", value, kind: .counter)])))
        #expect(render.page() == "" && render.page(.openMetrics) == "# EOF\n")
        #expect(render.counts.skippedValues == 1)
    }

    @Test func `A page has a limit`() {
        let render = PrometheusRender()
        let count = PrometheusRender.maximumSampleCount
        render.process(
            ResultSet(
                timestampNanoseconds: 1,
                results: (0..<count + 5).map {
                    MetricResult("a", meta: ["i": .int(Int64($0))], fields: [.init("b", 1)])
                }))
        #expect(render.counts.beyondLimit == 5)
        #expect(render.page().split(separator: "\n").count == count + 2)
    }

    @Test(arguments: [
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
                + "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            true
        ),
        ("text/plain", false), ("", false), ("*/*", false),
        ("application/openmetrics-text; version=\"1.0.0\"; q=0.3, text/plain; q=0.5", false),
        ("application/openmetrics-text; version=0.0.1", false),
        ("application/openmetrics-text; version=1.0.0; q=0", false),
    ])
    func `A reader gets the form that it asks for`(_ accept: String, _ isOpenMetrics: Bool) {
        #expect((PrometheusRender.Format(accept: accept) == .openMetrics) == isOpenMetrics)
    }

    @Test(
        .enabled(if: Promtool.isThere, PrometheusServer.hint), .timeLimit(.minutes(1)),
        arguments: 0..<15)
    func `promtool reads the page of any results`(_ seed: UInt64) throws {
        var results = SeededResults(seed: seed)
        let render = PrometheusRender(namespace: "", meta: results.meta())
        render.processMany((0..<30).map { _ in results.set() })
        let page = render.page()
        let (status, output) = try Promtool.check(metrics: page)
        #expect(status == 0 || status == 3, "\(output)\n\(page)")
    }
}
