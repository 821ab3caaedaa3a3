import ControllerRuntime

// `@testable` because configuration files belong to the command line alone.
@testable import Commands

/// The text of a configuration file.
enum PipelineFiles: FuzzTarget {
    static func check(_ bytes: UnsafeRawBufferPointer) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let plan: RunPlan
        do throws(CommandError) {
            plan = try PipelineFile.parse(text, file: "a.yaml")
            try plan.checkStages()
        } catch {
            return try expect(
                error.message.contains("stage") || error.message.contains("a.yaml"),
                "an error says where it is", [error.message])
        }
        var expected = plan
        // Which folder a run had is not what it did.
        expected.configuration.runDirectory = nil
        let written = PipelineText.text(of: plan)
        do {
            let again = try PipelineFile.parse(written, file: "again.yaml")
            try expect(
                again == expected, "a plan is read as it was written", [plan, written, again])
            try expect(PipelineText.text(of: again) == written, "a plan has one text", [written])
        } catch let error as CommandError {
            throw Finding("a plan that was written can be read", [plan, written, error.message])
        }
    }
}
