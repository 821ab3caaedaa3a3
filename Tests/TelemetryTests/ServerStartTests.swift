import Foundation
import TestSupport
import Testing

/// The servers that other tests talk to.
@Suite(.serialized) struct ServerStartTests {
    @Test(.enabled(if: CarbonServer.isThere, CarbonServer.hint), .timeLimit(.minutes(1)))
    func `carbon stores a line, over TCP and over UDP, and again after a restart`() throws {
        let carbon = try CarbonServer()
        let now = Int(Date.now.timeIntervalSince1970)
        try Loopback.send(Array("det.w1.frames 41 \(now)\n".utf8), to: carbon.port)
        #expect(try carbon.values(of: "det.w1.frames", since: now) == [now: 41])
        try Loopback.sendDatagram(Array("det.w2.frames 42 \(now)\n".utf8), to: carbon.port)
        #expect(try carbon.values(of: "det.w2.frames", since: now) == [now: 42])
        carbon.process.kill()
        #expect(!carbon.process.isRunning)
        #expect(!Loopback.isListening(carbon.port))
        try carbon.process.start()
        try Loopback.send(Array("det.w1.frames 43 \(now - 1)\n".utf8), to: carbon.port)
        let both = try carbon.values(of: "det.w1.frames", since: now - 1, count: 2)
        #expect(both == [now: 41, now - 1: 43])
        #expect(try carbon.metrics() == ["det.w1.frames", "det.w2.frames"])
    }

    @Test(.enabled(if: InfluxServer.isThere, InfluxServer.hint), .timeLimit(.minutes(1)))
    func `InfluxDB stores a line, and has it after a restart`() throws {
        let influx = try InfluxServer()
        #expect(try influx.write(Array("frames,w=1 n=41i,ok=true 1000000000\n".utf8)).status == 204)
        let expected = [
            ["name", "tags", "time", "n", "ok", "w"],
            ["frames", "", "1000000000", "41", "true", "1"],
        ]
        #expect(try influx.rows("SELECT * FROM frames") == expected)
        influx.process.stop()
        #expect(!influx.process.isRunning)
        try influx.process.start()
        #expect(try influx.rows("SELECT * FROM frames") == expected)
        #expect(try influx.write(Array("frames n=NaN\n".utf8)).status == 400)
    }

    @Test(.enabled(if: PrometheusServer.isThere, PrometheusServer.hint), .timeLimit(.minutes(1)))
    func `Prometheus answers, and promtool knows a bad page`() throws {
        let prometheus = try PrometheusServer(targetPort: try Loopback.freePort())
        #expect(try prometheus.query("vector(1)").map(\.value) == ["1"])
        #expect(
            try Promtool.check(metrics: "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n")
                .status == 0)
        #expect(try Promtool.check(metrics: "a b c\n").status == 1)
        #expect(try Promtool.check(metrics: "a 1\n").status == 3)
    }
}
