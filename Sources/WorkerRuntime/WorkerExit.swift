/// How a worker ends; the raw value is the exit code of its process.
package enum WorkerExit: Int32, Sendable {
    /// It was told to stop, and did.
    case stopped = 0
    /// It was started in a way it can't serve: arguments, a terminal, another protocol version, memory
    /// that could not be mapped.
    case unusable = 2
    /// The controller is gone: nobody is left to work for.
    case orphaned = 3
    /// What came in is not the protocol.
    case damagedInput = 4
    /// A processor could be put neither into the new configuration nor back into the old one.
    case brokenConfiguration = 5
}
