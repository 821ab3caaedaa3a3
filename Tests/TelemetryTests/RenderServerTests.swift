import Foundation
import Telemetry
import TestSupport
import Testing

/// The formats as real receivers read them.
@Suite(.serialized) struct RenderServerTests {
    private func now() -> Int64 { Int64(Date.now.timeIntervalSince1970) * 1_000_000_000 }

    @Test(.enabled(if: CarbonServer.isThere, CarbonServer.hint), .timeLimit(.minutes(1)))
    func `P15: carbon has the values that were rendered, over TCP in chunks and over UDP`() throws {
        let carbon = try CarbonServer()
        let time = now()
        let second = Int(time / 1_000_000_000)
        let result = MetricResult(
            "stage", meta: ["stage": "a b.c/d;e µ"],
            fields: [
                .init("n", .int(.max)), .init("x", 0.1), .init("small", 1e-7), .init("big", 1e21),
                .init("on", true), .init("nan", .float(.nan)), .init("text", "x"),
            ])
        let render = try ChunkedRender(
            GraphiteRender(prefix: "det"), options: .init(maxBytes: 80, meta: ["host": "h.1"]))
        let tcp = try render.register("tcp")
        render.process(ResultSet(timestampNanoseconds: time, results: [result]))
        render.flush()
        #expect(tcp.count > 1)
        while let chunk = tcp.next(timeout: .zero) {
            try Loopback.send(chunk.bytes, to: carbon.port)
        }
        let path = "det.h_1.stage.a_b_c_d_e_µ."
        func value(_ field: String) throws -> Double? {
            try carbon.values(of: path + field, since: second)[second]
        }
        #expect(try value("n") == Double(Int64.max))
        #expect(try value("x") == 0.1)
        #expect(try value("small") == 1e-7)
        #expect(try value("big") == 1e21)
        #expect(try value("on") == 1)
        #expect(try carbon.metrics().count == 5)
        render.process(
            ResultSet(
                timestampNanoseconds: time,
                results: [MetricResult("udp", fields: [.init("n", 5)])]))
        let chunk = try #require(render.flush())
        try Loopback.sendDatagram(chunk.bytes, to: carbon.port)
        #expect(try carbon.values(of: "det.h_1.udp.n", since: second) == [second: 5])
    }

    @Test(.enabled(if: CarbonServer.isThere, CarbonServer.hint), .timeLimit(.minutes(1)))
    func `carbon takes tagged lines of any names, and the connection stays`() throws {
        let carbon = try CarbonServer()
        let time = now()
        let second = Int(time / 1_000_000_000)
        var results = SeededResults(seed: 4)
        let render = GraphiteRender(form: .tagged)
        var bytes: [UInt8] = []
        var count = 0
        for _ in 0..<30 {
            var set = results.set()
            set.timestampNanoseconds = time
            var lines = RenderedLines(maximumLineByteCount: 1400)
            render.render(set, meta: results.meta(), into: &lines)
            bytes += lines.bytes
            count += lines.ends.count
        }
        #expect(count > 50)
        // Behind everything else on the same connection: had it been closed, this would be lost.
        bytes += Array("last.line 1 \(second)\n".utf8)
        try Loopback.send(bytes, to: carbon.port)
        #expect(try carbon.values(of: "last.line", since: second) == [second: 1])
        #expect(!carbon.process.logEnd.contains("nvalid line"), "\(carbon.process.logEnd)")
    }

    @Test(.enabled(if: InfluxServer.isThere, InfluxServer.hint), .timeLimit(.minutes(1)))
    func `P16: InfluxDB has the same names, tags, types and values`() throws {
        let influx = try InfluxServer()
        let result = MetricResult(
            "my stage,a=b", meta: ["tag key": "v,1=2 3", "path": "C:\\data\\x", "host": "µ"],
            fields: [
                .init("n", .int(.min)), .init("x", 0.1), .init("big", .float(1e30)),
                .init("on", false), .init("field ,=key", "say \"hi\" \\ back\nline"),
                .init("nan", .float(.nan)),
            ])
        let text = InfluxRender().text(
            of: ResultSet(timestampNanoseconds: 1_000_000_000_000_000_007, results: [result]))
        let answer = try influx.write(Array(text.utf8))
        #expect(answer.status == 204, "\(answer)")
        #expect(try influx.query("SHOW MEASUREMENTS").contains("my stage,a=b"))
        let types = try influx.query("SHOW FIELD KEYS")
        for expected in ["n,integer", "x,float", "big,float", "on,boolean", "string"] {
            #expect(types.contains(expected), "\(types)")
        }
        let row = try influx.query("SELECT * FROM \"my stage,a=b\"")
        let expected = [
            "\(Int64.min)", "0.1", "1000000000000000000000000000000,", "false",
            "say \"\"hi\"\" \\ back\nline", "\"v,1=2 3\"",
            "C:\\data\\x", "µ", "1000000000000000007",
        ]
        for value in expected { #expect(row.contains(value), "\(value) in \(row)") }
    }

    @Test(.enabled(if: InfluxServer.isThere, InfluxServer.hint), .timeLimit(.minutes(1)))
    func `InfluxDB takes results of any names and values, whole or divided`() throws {
        let influx = try InfluxServer()
        var results = SeededResults(seed: 11)
        for number in 0..<200 {
            var set = results.set()
            // One type for each field: each result is a measurement of its own.
            for place in set.results.indices { set.results[place].name += "\(number)-\(place)" }
            set.timestampNanoseconds = 1_000_000_000 + Int64(number)
            var lines = RenderedLines(maximumLineByteCount: number % 2 == 0 ? 0 : 120)
            InfluxRender().render(set, meta: results.meta(), into: &lines)
            // The server would say the type of the first of two fields that have one name.
            let isUnique = set.results.allSatisfy {
                Set($0.fields.map(\.name)).count == $0.fields.count
            }
            if !isUnique { continue }
            let answer = try influx.write(lines.bytes)
            #expect(
                answer.status == 204,
                "\(answer.body)\n\(String(decoding: lines.bytes, as: UTF8.self))")
        }
    }

    @Test(
        .enabled(if: PrometheusServer.isThere, PrometheusServer.hint), .timeLimit(.minutes(1)),
        arguments: [true, false])
    func `Prometheus reads both forms, quantiles, NaN and infinity included`(_ isOpen: Bool) throws
    {
        let render = PrometheusRender(meta: ["host": "a\"b\\c\nd"])
        var set = SampleRun.results
        set.results.append(
            MetricResult(
                "odd", fields: [.init("nan", .float(.nan)), .init("inf", .float(-.infinity))]))
        render.process(set)
        let page = try MetricsPage { accept in
            let format = isOpen ? PrometheusRender.Format(accept: accept) : .text
            return (format.contentType, render.page(format))
        }
        let prometheus = try PrometheusServer(targetPort: page.port)
        let received = try prometheus.query("sluice_stage_received_total{stage=\"main\"}")
        #expect(received.map(\.value) == ["100"])
        #expect(received.first?.labels["host"] == "a\"b\\c\nd")
        #expect(received.first?.labels["run"] == "tyuy3jwr")
        let median = try prometheus.query(
            "sluice_stage_frame_time_quantiles_seconds{quantile=\"0.5\",stage=\"main\"}")
        let value = try #require(median.first.flatMap { Double($0.value) })
        #expect(abs(value - 0.00105) < 0.00105 * 0.016)
        let estimated = try prometheus.query(
            "histogram_quantile(0.5, sluice_stage_frame_time_seconds_bucket{stage=\"main\"})")
        let bucket = try #require(estimated.first.flatMap { Double($0.value) })
        #expect((0.0005...0.0021).contains(bucket))
        #expect(try prometheus.query("sluice_odd_nan").map(\.value) == ["NaN"])
        #expect(try prometheus.query("sluice_odd_inf").map(\.value) == ["-Inf"])
        #expect(page.accepted.contains("openmetrics"))
        #expect(try prometheus.targets().contains("\"health\":\"up\""))
    }
}
