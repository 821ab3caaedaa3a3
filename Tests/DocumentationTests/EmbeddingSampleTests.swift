import ControllerRuntime
import TestSupport
import Testing

@Suite("The program that embeds the controller", .timeLimit(.minutes(2)))
struct EmbeddingSampleTests {
    @Test("runs, and its account balances")
    func runs() async throws {
        let worker = try #require(BuiltProducts.executable("sluice-worker"))
        let summary = try await EmbeddingSample.run(worker: worker)
        #expect(summary.processed == 20)
        #expect(summary.certificate.balanced)
    }
}
