/// What goes wrong between a processor and its pipeline.
public enum ProcessingError: Error, Sendable, Equatable {
    /// No processor of that name; `nearest` is what may have been meant.
    case unknownProcessor(name: String, nearest: String?, known: [String])
    /// Two processors or aliases of one worker have the same name.
    case duplicateName(String)
    /// A hook was asked for at the wrong time.
    case wrongOrder(
        processor: String, command: ProcessorLifeCycle.Command, state: ProcessorLifeCycle.State)
    /// The processor does not take this kind of payload.
    case wrongPayload(processor: String, needed: PayloadKind, had: PayloadKind)
    /// One frame gave more outputs than a branch can name.
    case tooManyOutputs(limit: Int)
    /// A branch would have more steps than it can name.
    case branchTooDeep(limit: Int)
    /// A frame of an earlier call, or one that was already handed on, was given as an output.
    case staleOutput(processor: String)
    /// The operation needs a pipeline around the processor.
    case noPipeline(operation: String)
    /// A directory or file was refused by the operating system.
    case refused(operation: String, path: String, errno: Int32)
    /// The final name is taken, and `overwrite` is off.
    case nameTaken(path: String)
    /// A name format that can't be read, with the 1-based column.
    case nameFormat(format: String, column: Int, reason: String)
    /// A placeholder of a name format has no value in this frame.
    case noValue(placeholder: String, format: String, nearest: String?)
    /// The name that a format gave can't be the name of a file.
    case badName(String, reason: String)
    /// An input of a processor, for example a file it was configured with, does not serve.
    case badInput(String, reason: String)
}

extension ProcessingError: CustomStringConvertible {
    /// One sentence: what is wrong, where, and what to do.
    public var description: String {
        switch self {
        case .unknownProcessor(let name, let nearest, let known):
            if let nearest {
                "there is no processor \(name); did you mean \(nearest)?"
            } else {
                "there is no processor \(name); there are " + known.joined(separator: ", ")
            }
        case .duplicateName(let name):
            "two processors of this worker are called \(name); give one another processorName"
        case .wrongOrder(let processor, let command, let state):
            "\(processor) can't \(command.rawValue) when it is \(state.rawValue)"
        case .wrongPayload(let processor, let needed, let had):
            "\(processor) takes \(needed.name), the frame carries \(had.name)"
        case .tooManyOutputs(let limit):
            "a frame may have at most \(limit) outputs; give fewer or split in two stages"
        case .branchTooDeep(let limit):
            "outputs of outputs go at most \(limit) steps deep; split in fewer steps"
        case .staleOutput(let processor):
            "\(processor) gave a frame of an earlier call, or one twice, as output; "
                + "make a new one with makeFrame"
        case .noPipeline(let operation):
            "\(operation) works only while the processor is part of a pipeline"
        case .refused(let operation, let path, let errno):
            "\(operation) \(path) failed: \(errorText(errno))"
        case .nameTaken(let path):
            "\(path) exists; choose another name or directory, or set overwrite"
        case .nameFormat(let format, let column, let reason):
            "name format '\(format)', column \(column): \(reason)"
        case .noValue(let placeholder, let format, let nearest):
            "name format '\(format)': the frame has no attribute \(placeholder)"
                + (nearest.map { "; did you mean \($0)?" } ?? "")
        case .badName(let name, let reason):
            "'\(name)' can't be the name of a file: \(reason)"
        case .badInput(let what, let reason):
            "\(what): \(reason)"
        }
    }
}
