import Foundation
import Glibc
import TestSupport
import Testing
import WorkerProtocol

@testable import ControllerRuntime

@Suite("A worker executable", .timeLimit(.minutes(1)))
struct WorkerProbeTests {
    private func refusal(_ path: String, timeLimitMilliseconds: Int32 = 10_000) -> String? {
        do {
            _ = try WorkerProbe.describe(
                executable: path, timeLimitMilliseconds: timeLimitMilliseconds)
            return nil
        } catch let error as ControllerError {
            #expect(error.code == .worker)
            #expect(error.reason.contains(path), "\(error.reason)")
            return error.reason
        } catch {
            return "not typed: \(error)"
        }
    }

    @Test("says what it offers")
    func describes() throws {
        let worker = try #require(BuiltProducts.executable("sluice-worker"))
        let processors = try WorkerProbe.describe(executable: worker)
        let names = processors.map(\.name)
        #expect(Set(names).isSuperset(of: ["PixelStatistics", "AdOutputFileProcessor"]))
        #expect(names == names.sorted())
    }

    @Test("that ends at once is told so", arguments: ["/bin/true", "/bin/false"])
    func ends(path: String) throws {
        for _ in 0..<20 {
            let reason = try #require(refusal(path))
            #expect(reason.contains("ended without an answer"), "\(reason)")
        }
    }

    @Test("that sends back what it got is no worker")
    func echoes() throws {
        let reason = try #require(refusal("/bin/cat"))
        #expect(reason.contains("did not answer as a worker does"), "\(reason)")
    }

    @Test("that is silent is given up after its time")
    func silent() throws {
        let reason = try #require(refusal("/usr/bin/tail", timeLimitMilliseconds: 200))
        #expect(reason.contains("did not answer"), "\(reason)")
    }

    @Test("that sends garbage is no worker")
    func garbage() throws {
        let reason = try #require(refusal("/usr/bin/yes"))
        #expect(reason.contains("is it a Sluice worker?"), "\(reason)")
    }

    @Test("that is not there, or no program, is named")
    func missing() {
        for path in ["/nowhere/worker", "/etc/passwd", "/tmp"] { #expect(refusal(path) != nil) }
    }

    @Test("is looked for where people expect it")
    func resolves() throws {
        #expect(try WorkerExecutable.resolve("some/where") == "some/where")
        #expect(try WorkerExecutable.resolve("/bin/cat") == "/bin/cat")
        let found = try WorkerExecutable.resolve("cat")
        #expect(found.hasPrefix("/") && found.hasSuffix("/cat"))
        #expect(access(found, X_OK) == 0)
    }

    @Test("that is nowhere is refused with its name", arguments: ["no-such-worker", ""])
    func nowhere(name: String) {
        let error = #expect(throws: ControllerError.self) { try WorkerExecutable.resolve(name) }
        #expect(error?.code == .worker)
        #expect(error?.reason.contains("there is no worker executable") == true)
    }

    @Test("is found by its name beside the running program")
    func beside() throws {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let name = try #require(program.split(separator: "/").last)
        #expect(try WorkerExecutable.resolve(String(name)) == program)
    }

    @Test("is no folder of that name in PATH")
    func folders() async {
        await #expect(processExitsWith: .success) {
            setenv("PATH", "/usr", 1)
            #expect(throws: ControllerError.self) { try WorkerExecutable.resolve("bin") }
        }
    }

    @Test("of Sluice is found in PATH, where it is not beside the program")
    func standard() async throws {
        await #expect(processExitsWith: .success) {
            let worker = try #require(BuiltProducts.executable("sluice-worker"))
            setenv("PATH", String(worker.dropLast("/sluice-worker".count)), 1)
            let found = try WorkerExecutable.resolve(nil)
            #expect(found.hasSuffix("/sluice-worker"))
            #expect(access(found, X_OK) == 0)
        }
    }
}
