public import DataProcessing

/// Hands every frame on as it came, whatever it carries: to try a pipeline, and to measure it.
open class PassThrough: UserDataProcessor {
    /// One sentence for people.
    open override class var summary: String { "Hands every frame on as it came." }
}
