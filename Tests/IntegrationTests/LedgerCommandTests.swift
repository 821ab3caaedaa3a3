import ControllerRuntime
import Foundation
import TestSupport
import Testing

@Suite("sluice ledger", .timeLimit(.minutes(2)))
struct LedgerCommandTests {
    private let interruption: Interruption
    private var folder: TemporaryFolder { interruption.folder }

    init() throws { interruption = try Interruption() }

    /// A run of 40 frames in two stages, of which the first throws for frames 3 and 5.
    private func runWithFailures() async throws {
        let faulty: String = try #require(BuiltProducts.executable("FaultyWorker"))
        try folder.write(
            """
            source: {sim: {count: 40, shape: 8x8}}
            stages:
              - name: check
                worker: \(faulty)
                workers: 2
                processors: [{Faulty: {misdeed: throw, frames: "[3,5]"}}]
              - name: save
                from: check
                processors: [{AdOutputFileProcessor: {outputDirectory: "out, \\"first\\""}}]
            """, to: "pipeline.yaml")
        let run = try await interruption.sluice(interruption.command(["pipeline.yaml"]))
        #expect(run.exitCode == 1, "\(run.error)")
    }

    private func ledger(_ options: String...) async throws -> String {
        let run = try await interruption.sluice(["ledger", "run"] + options)
        #expect(run.exitCode == 0, "\(run.error)")
        #expect(run.error.isEmpty, "\(run.error)")
        return run.output
    }

    private func lineCount(_ text: String) -> Int { text.split(separator: "\n").count }

    @Test("chooses rows", .enabled(if: Python.isThere, Python.hint))
    func choice() async throws {
        try await runWithFailures()
        #expect(lineCount(try await ledger("--format", "json")) == 78)
        #expect(lineCount(try await ledger("--outcome", "failed", "--format", "json")) == 2)
        #expect(lineCount(try await ledger("--stage", "save", "--format", "json")) == 38)
        #expect(lineCount(try await ledger("--id", "7", "--format", "json")) == 2)
        #expect(lineCount(try await ledger("--id", "7/0", "--format", "json")) == 1)
        #expect(lineCount(try await ledger("--unique-id", "5", "--format", "json")) == 1)
        #expect(lineCount(try await ledger("--limit", "11", "--format", "json")) == 11)
        let table = try await ledger("--outcome", "failed", "--outcome", "dropped")
        let lines = table.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.first?.hasPrefix("frame  id  time") == true, "\(table)")
        #expect(lines.dropFirst().allSatisfy { $0.contains("told to throw") }, "\(table)")
        let none = try await interruption.sluice(["ledger", "run", "--id", "99"])
        #expect(none.exitCode == 0 && none.output.isEmpty)
        #expect(none.error == "sluice: no frame of run fits\n")
    }

    @Test("gives JSON and CSV that others read the same", .enabled(if: Python.isThere, Python.hint))
    func formats() async throws {
        try await runWithFailures()
        try folder.write(try await ledger("--format", "json"), to: "rows.jsonl")
        try folder.write(try await ledger("--format", "csv"), to: "rows.csv")
        let script = """
            import csv, datetime, json, os, sys
            os.chdir(sys.argv[1])
            rows = [json.loads(line) for line in open('rows.jsonl')]
            text = open('rows.csv', newline='').read()
            assert text.endswith('\\r\\n') and '\\n' not in text.replace('\\r\\n', '')
            table = list(csv.DictReader(open('rows.csv', newline='')))
            assert len(rows) == len(table) == 78
            for row, cells in zip(rows, table):
                time = datetime.datetime.fromisoformat(row['time'])
                assert abs(time.timestamp() - row['timestamp']) < 1e-5
                assert cells['time'] == row['time'] and cells['reason'] == row['reason']
                for key in ['frame', 'stage', 'outcome']: assert cells[key] == row[key]
                for key in ['uniqueId', 'attempt', 'configurationVersion']:
                    assert int(cells[key]) == row[key], key
                assert row['configurationVersion'] == 1
                assert cells['worker'] == str(row['worker'])
                files = [f['path'] for f in row['files']]
                assert cells['files'] == '\\n'.join(files)
                if row['stage'] == 'save':
                    assert len(files) == 1, files
                    assert files[0].endswith(f'out, "first"/{row["uniqueId"]:06}.tiff'), files
                    assert os.path.getsize(files[0]) == row['files'][0]['byteCount']
                    assert isinstance(row['files'][0]['checksum'], int)
            failed = sorted(int(r['frame']) for r in rows if r['outcome'] == 'failed')
            print(failed, {r['worker'] for r in rows if r['stage'] == 'check'} <= {0, 1})
            """
        #expect(try Python.run(script, folder.path) == "[3, 5] True\n")
    }

    @Test("ends quietly when nobody reads on")
    func brokenPipe() async throws {
        let run = try await interruption.sluice(
            interruption.command(
                [
                    "--source", "sim:count=5000,shape=1x1,pattern=zero", "--processor",
                    "PassThrough",
                ],
                "--quiet"))
        #expect(run.exitCode == 0, "\(run.error)")
        let program: String = try #require(BuiltProducts.executable("sluice"))
        let command = "set -o pipefail; '\(program)' ledger run --format json | head -n 2"
        let piped = try await CommandRun.start(["bash", "-c", command], in: folder).end()
        #expect(piped.exitCode == 0, "\(piped.error)")
        #expect(piped.error.isEmpty, "\(piped.error)")
        #expect(lineCount(piped.output) == 2)
    }

    @Test("can be asked while the run goes on, and after it was killed")
    func unfinished() async throws {
        let watch = try FolderWatch(making: folder.file("out"))
        defer { watch.close() }
        let program: String = try #require(BuiltProducts.executable("sluice"))
        let started = try CommandRun.start(
            [program] + interruption.command(Interruption.oneStage, "--rate", "10"), in: folder)
        try watch.wait(for: 10, suffix: ".tiff")
        let live = try await interruption.sluice(["ledger", "run", "--format", "json"])
        #expect(live.exitCode == 0)
        #expect(live.error.contains("goes on"), "\(live.error)")
        _ = kill(started.processId, SIGKILL)
        _ = try await started.end()
        let dead = try await interruption.sluice(["ledger", "run", "--format", "json"])
        #expect(dead.exitCode == 0)
        #expect(dead.error.contains("was interrupted"), "\(dead.error)")
        #expect(lineCount(dead.output) >= lineCount(live.output))
        #expect(lineCount(dead.output) > 0)
    }

    @Test("refuses what is not there, with the nearest name")
    func refusals() async throws {
        try await runWithFailures()
        for (arguments, words) in [
            (["none"], "no run directory"), (["out, \"first\""], "is no run directory"),
            (["run", "--outcome", "faild"], "did you mean failed?"),
            (["run", "--stage", "svae"], "did you mean save?"),
            (["run", "--id", "x"], "--id is x"), (["run", "--limit", "0"], "--limit is 0"),
        ] {
            expectRefusal(
                try await interruption.sluice(["ledger"] + arguments), naming: words)
        }
    }
}
