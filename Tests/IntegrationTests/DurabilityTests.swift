import Foundation
import TestSupport
import Testing

/// The real command with a library before it that writes down, in order, when a file gets its name, when
/// the ledger is written, and what is brought to the disk.
@Suite("When outputs are brought to the disk", .timeLimit(.minutes(2)))
struct DurabilityTests {
    private static let frames = 5

    private static let library = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        static void note(const char *call, const char *path) {
            char line[8192];
            int count = snprintf(line, sizeof line, "%s %s\\n", call, path);
            int log = open(getenv("CALLS"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
            if (log < 0 || syscall(SYS_write, log, line, count) != count) abort();
            close(log);
        }
        static void note_file(const char *call, int file) {
            char link[64], path[4097];
            snprintf(link, sizeof link, "/proc/self/fd/%d", file);
            ssize_t count = readlink(link, path, sizeof path - 1);
            path[count < 0 ? 0 : count] = 0;
            note(call, path);
        }
        static long done(const char *call, int file, long result) {
            if (result >= 0) note_file(call, file);
            return result;
        }
        int fsync(int file) { return done("fsync", file, syscall(SYS_fsync, file)); }
        int fdatasync(int file) { return done("fdatasync", file, syscall(SYS_fdatasync, file)); }
        int syncfs(int file) { return done("syncfs", file, syscall(SYS_syncfs, file)); }
        ssize_t pwrite(int file, const void *bytes, size_t count, off_t place) {
            return done("write", file, syscall(SYS_pwrite64, file, bytes, count, place));
        }
        ssize_t pwrite64(int file, const void *bytes, size_t count, off_t place) {
            return pwrite(file, bytes, count, place);
        }
        int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
            int result = syscall(SYS_renameat2, from, old, to, new, flags);
            if (result == 0) note("rename", new);
            return result;
        }
        """

    /// The calls of a run, without those for files that are not of it.
    private func calls(_ durability: String) async throws -> (calls: [Call], TemporaryFolder) {
        let folder = try TemporaryFolder()
        try folder.write(Self.library, to: "library.c")
        let compiled = try await CommandRun.start(
            ["cc", "-shared", "-fPIC", "-o", "library.so", "library.c"], in: folder
        ).end()
        try #require(compiled.exitCode == 0, "\(compiled.error)")
        // Beside what is preloaded already: the thread sanitizer's run has a library of its own.
        let inherited = ProcessInfo.processInfo.environment["LD_PRELOAD"].map { [$0] } ?? []
        let preload = ([folder.file("library.so")] + inherited).joined(separator: ":")
        let run = try await CommandRun.start(
            [
                "LD_PRELOAD=\(preload)", "CALLS=\(folder.file("calls"))",
                "timeout", "-k", "2", "60", try #require(BuiltProducts.executable("sluice")), "run",
                "--source", "sim:count=\(Self.frames),shape=16x16", "--run-dir", "run", "--worker",
                try #require(BuiltProducts.executable("sluice-worker")), "--processor",
                "AdOutputFileProcessor:outputDirectory=out", "--durability", durability,
            ], in: folder
        ).end()
        #expect(run.exitCode == 0, "\(run.error)")
        #expect(try folder.files(in: "out").count == Self.frames)
        let calls = try folder.text(of: "calls").split(separator: "\n").compactMap { line in
            Call(line, in: folder)
        }
        #expect(calls.filter { $0.name == "rename" }.count == Self.frames)
        return (calls, folder)
    }

    /// A call, and for what.
    struct Call: Equatable, CustomStringConvertible {
        let name: Substring
        /// `ledger`, `part FILE`, `file FILE`, or `folder`; nil for other files.
        let what: String

        init(_ name: Substring, _ what: String) { (self.name, self.what) = (name, what) }

        init?(_ line: Substring, in folder: TemporaryFolder) {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            let path = String(parts[1])
            let file = path.split(separator: "/").last.map(String.init) ?? ""
            switch path {
            case folder.file("run/ledger"): what = "ledger"
            case folder.file("out"): what = "folder"
            case _ where path.hasPrefix(folder.file("out/.")):
                what = "part \(file.dropFirst().prefix(6))"
            case _ where path.hasPrefix(folder.file("out/")): what = "file \(file.prefix(6))"
            default: return nil
            }
            name = parts[0]
        }

        var description: String { "\(name) \(what)" }
    }

    /// The calls must hold these, in this order.
    private func expect(_ wanted: [Call], in calls: [Call]) {
        var rest = calls[...]
        for call in wanted {
            guard let place = rest.firstIndex(of: call) else {
                Issue.record("no \(call) behind the ones before it in \(calls)")
                return
            }
            rest = rest[(place + 1)...]
        }
    }

    @Test("with `file`: file, intent, name, folder and closing, each before the next")
    func file() async throws {
        let (calls, _) = try await calls("file")
        for frame in 1...Self.frames {
            let name = "00000\(frame)"
            expect(
                [
                    Call("fdatasync", "part \(name)"), Call("write", "ledger"),
                    Call("fdatasync", "ledger"), Call("rename", "file \(name)"),
                    Call("fsync", "folder"), Call("write", "ledger"), Call("fdatasync", "ledger"),
                ], in: calls)
            // Nothing of the ledger waits for the disk when a file gets its name.
            let place = try #require(calls.firstIndex(of: Call("rename", "file \(name)")))
            let last = calls[..<place].last { $0.what == "ledger" }
            #expect(last?.name == "fdatasync", "\(calls)")
        }
        #expect(!calls.contains { $0.name == "syncfs" })
        #expect(calls.last == Call("fdatasync", "ledger"))
    }

    @Test("with `run`: the file system once behind all names, then the ledger")
    func run() async throws {
        let (calls, _) = try await calls("run")
        let syncs = calls.filter { $0.name.contains("sync") }
        #expect(syncs == [Call("syncfs", "folder"), Call("fdatasync", "ledger")], "\(calls)")
        let place = try #require(calls.firstIndex(of: syncs[0]))
        #expect(!calls[place...].contains { $0.name == "rename" }, "\(calls)")
        #expect(
            calls[place...].map(\.description)
                == ["syncfs folder", "write ledger", "fdatasync ledger"])
    }

    @Test("with `none`: never, in the system's own time")
    func none() async throws {
        let (calls, _) = try await calls("none")
        #expect(calls.allSatisfy { $0.name == "rename" || $0.name == "write" }, "\(calls)")
        #expect(calls.contains(Call("write", "ledger")))
    }
}
