/// The ancestor's base class of processors that run in a worker process.
///
/// Here every processor runs in a worker process, so this adds only the ancestor's constructor: the
/// id that was given by hand there is the place in the pipeline here. The difference to the
/// ancestor is that `start` runs in the worker, not in the parent, and that what `process` returns
/// has a use.
open class UserMpDataProcessor: UserDataProcessor {
    /// Makes a processor at place `processorId` with the defaults of its settings, as
    /// `UserMpDataProcessor(processorId=1)` does; for programs that drive one themselves.
    ///
    /// - Throws: `ConfigurationError` when a setting is required, and what `init(configuration:)`
    ///   throws.
    public convenience init(processorId: Int = 1) throws {
        try self.init(configuration: try Configuration(for: Self.self))
        self.processorId = processorId
    }
}
