import Statistics
import Testing
import WorkerProtocol

@testable import Commands
@testable import ControllerRuntime

@Suite struct RenderingTests {
    private func expect(_ lines: [String], _ text: String) {
        #expect(lines.joined(separator: "\n") == text)
        #expect(lines.allSatisfy { !$0.hasSuffix(" ") })
    }

    @Test func `status`() {
        expect(
            StatusText.lines(of: Samples.status),
            """
            run abcd2345: running for 2.50 s, process 4711
            120 of 200 frames accepted: 100 processed, 5 filtered, 3 failed, 2 dropped (stopped), 10 in flight
            412.3 frames/s, 864.0 MB/s, about 3.20 s left

            stage  accepted  processed  filtered  failed  dropped  in flight  queued
            save        120        100         5       3        2         10       4

            worker  stage  process  state    in flight  load
                 0  save      4712  started        6/8  87 %
                 1  save      4713  started        4/8  85 %
            """)
    }

    @Test func `the live line fits the terminal and drops what matters least`() {
        #expect(
            StatusText.line(of: Samples.status, width: 100)
                == "110/200 frames  412.3 frames/s  864.0 MB/s  3 failed  2 dropped  3.20 s left  "
                + "load 87 85 %")
        for width in 0...100 {
            #expect(StatusText.line(of: Samples.status, width: width).count <= width)
        }
        var status = Samples.status
        status.workers = (0..<40).map {
            WorkerStatus(
                id: $0, stage: "save", processId: 1, state: "started", inFlight: 0, credit: 8,
                load: Double($0) / 40)
        }
        #expect(StatusText.line(of: status, width: 90).hasSuffix("load 0–98 %"))
        status.state = .draining
        status.frameCount = nil
        #expect(StatusText.line(of: status, width: 90).hasPrefix("draining  110 frames  "))
    }

    @Test func `statistics`() {
        expect(
            StatisticsText.lines(of: Samples.statistics),
            """
            120 frames accepted: 100 processed, 5 filtered, 3 failed, 2 dropped (stopped), 10 in flight

            stage  workers  accepted  processed  filtered  failed  dropped  in flight  outputs  files     p50     p99
            save         1       120        100         5       3        2         10      100    100  \(p50)  \(p99)
            save dropped 2 (stopped)

            stage  processor        received
            save   PixelStatistics       120

            save, PixelStatistics
              minimum    -3  counts
              mode     fast
            """)
    }

    private var p50: String { NumberText.duration(seconds: Samples.latency.p50 ?? 0) }
    private var p99: String { NumberText.duration(seconds: Samples.latency.p99 ?? 0) }

    private func summary(failures: Int, dropped: [String: UInt64] = [:]) -> RunSummary {
        RunSummary(
            runId: "abcd2345", end: .completed, reason: "", accepted: 120, processed: 100,
            filtered: 0, failed: UInt64(failures), quarantined: 0, rejected: 0, dropped: dropped,
            inFlight: 0, elapsedSeconds: 2, framesPerSecond: 60, bytesIn: 400_000_000,
            bytesOut: 512,
            latency: Samples.latency, stages: [], workers: [],
            failures: (0..<failures).map {
                FrameFailure(
                    frame: "\($0)", uniqueId: 1, stage: "save", outcome: "failed",
                    source: "scan/\($0).tif", reason: "no TIFF\nfile")
            },
            certificate: Certificate(
                balanced: true, runId: "abcd2345", statement: "120 accepted = 120 processed",
                files: 0))
    }

    @Test func `the end of a run names the first failures and counts the others`() {
        let lines = SummaryText.lines(of: summary(failures: 12), directory: "runs/x")
        #expect(lines.contains("frames that did not go through: 12"))
        #expect(lines.contains("  0      save   failed   scan/0.tif  no TIFF file"))
        #expect(!lines.contains { $0.contains("scan/10.tif") })
        #expect(lines.contains("  and 2 more in runs/x/summary.json and journal.jsonl"))
        #expect(
            lines.suffix(3) == [
                "120 frames in 2.00 s: 60.0 frames/s, 200.0 MB/s; in 400 MB, out 512 B",
                "ledger balanced: 120 accepted = 120 processed", "run directory: runs/x",
            ])
    }

    @Test func `exit codes follow from how a run ended`() {
        #expect(Outcome.exitCode(of: summary(failures: 0)) == 0)
        #expect(Outcome.exitCode(of: summary(failures: 0, dropped: ["drop-oldest": 5])) == 0)
        #expect(Outcome.exitCode(of: summary(failures: 1)) == 1)
        #expect(Outcome.exitCode(of: summary(failures: 0, dropped: ["stopped": 1])) == 1)
        var drained = summary(failures: 0)
        drained.end = .drained
        #expect(Outcome.exitCode(of: drained) == 0)
        drained.end = .stageFailed
        #expect(Outcome.exitCode(of: drained) == 3)
        var unbalanced = summary(failures: 0)
        unbalanced.certificate.balanced = false
        #expect(Outcome.exitCode(of: unbalanced) == 1)
        #expect(CommandError(ControllerError(.worker, "x")).exitCode == 2)
        #expect(CommandError(ControllerError(.stage, "x")).exitCode == 3)
    }

    @Test func `numbers for people`() {
        let durations: [(Double, String)] = [
            (0, "0 s"), (1.5e-9, "1.50 ns"), (8.5e-4, "850 µs"), (1.25e-3, "1.25 ms"),
            (0.0999, "99.9 ms"), (3.2, "3.20 s"), (59.99, "60.0 s"), (312, "5 min 12 s"),
            (7500, "2 h 5 min"), (.nan, "-"),
        ]
        for (seconds, text) in durations { #expect(NumberText.duration(seconds: seconds) == text) }
        let bytes: [(Double, String)] = [
            (0, "0 B"), (999, "999 B"), (2_097_152, "2.10 MB"), (5e9, "5.00 GB"),
        ]
        for (count, text) in bytes { #expect(NumberText.bytes(count) == text) }
        let numbers: [(Double, String)] = [
            (0, "0"), (-3, "-3"), (0.8125, "0.8125"), (1234.5, "1235"), (12.345, "12.35"),
            (1.5e20, "1.500e20"), (0.00012, "1.200e-4"), (.infinity, "inf"), (.nan, "-"),
        ]
        for (value, text) in numbers { #expect(NumberText.plain(value) == text) }
    }

    @Test func `processors with their settings`() {
        let processor = ProcessorDescription(
            name: "HotPixels", summary: "Sets hot pixels to 0.", maximumOutputCount: 1,
            settings: [
                SettingDescription(
                    key: "threshold", kind: "integer", defaultValue: "60000",
                    allowed: "0 … 65535", unit: "counts", summary: "Above is hot.",
                    isChangeable: true),
                SettingDescription(
                    key: "mask", kind: "path", defaultValue: nil, allowed: "", unit: "",
                    summary: "File of the mask.", isChangeable: false),
            ])
        expect(
            ProcessorsText.lines(of: [processor]),
            """
            HotPixels
              Sets hot pixels to 0.

              setting    kind     default     allowed           changeable  meaning
              threshold  integer  60000       0 … 65535 counts  yes         Above is hot.
              mask       path     (required)                    no          File of the mask.
            """)
    }

    @Test func `a check of a run`() {
        var report = VerificationReport(
            runId: "abcd2345", wholeFiles: 6, problems: [], statement: "6 accepted = 6 processed")
        expect(
            VerificationText.lines(of: report),
            """
            run abcd2345: 6 accepted = 6 processed
            6 output files are there and whole
            nothing is wrong
            """)
        report.problems = (0..<102).map { "file \($0) is missing" }
        let lines = VerificationText.lines(of: report)
        #expect(lines.count == 104 && lines.last == "  and 2 more")
    }
}
