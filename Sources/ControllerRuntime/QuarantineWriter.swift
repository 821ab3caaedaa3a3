internal import Glibc
internal import NDArrays
internal import Pipes
internal import WorkerProtocol

/// Puts one frame into the folder `quarantine`: a TIFF by a worker of its own, what else is known as JSON.
///
/// The controller never decodes what has just killed workers; so a fresh process does, with nothing but
/// the standard file writer in it, and it may die of the frame too: then the raw bytes are kept.
struct QuarantineWriter {
    /// Time that the worker has for one frame.
    private static let timeLimit = Duration.seconds(10)

    /// The folder.
    let folder: String
    let runId: String
    let isCancelled: @Sendable () -> Bool

    /// Keeps a frame; returns the path of its JSON, and what is missing.
    func keep(_ job: QuarantineJob) -> (path: String, problem: String?) {
        var record = QuarantineRecord(job)
        let name = Self.name(of: job)
        let path = "\(folder)/\(name).json"
        if mkdir(folder, 0o777) != 0, errno != EEXIST {
            return (path, "\(folder) can't be made: \(SystemText.ofError(errno))")
        }
        do {
            try writeTIFF(job, named: "\(name).tiff")
            record.tiff = "\(name).tiff"
        } catch {
            record.problem = "there is no TIFF: \(error)"
            // One frame is kept after the other, so what is staged here is this one's.
            var staged = StagingDirectories()
            staged.add(directoryOf: path)
            staged.removeLeftovers(ofRun: runId)
            if let bytes = job.bytes, !bytes.isEmpty {
                do {
                    try write(bytes, to: "\(folder)/\(name).raw")
                    record.raw = "\(name).raw"
                } catch {
                    record.problem? += "; its bytes could not be kept: \(error)"
                }
            }
        }
        do {
            let bytes = try JSON.encode(record, isPretty: true)
            try bytes.withUnsafeBytes { try write($0, to: path) }
        } catch {
            record.problem = "\(path) could not be written: \(error)"
        }
        return (path, record.problem)
    }

    /// `000017.main`, `000017-0-3.main`: the frame, the outputs that led to it, and its stage.
    static func name(of job: QuarantineJob) -> String {
        let digits = String(job.key.frameId)
        let id = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
        let branch = job.key.path.map { "-\($0)" }.joined()
        let stage = job.stage.map { letter in
            let isPlain = letter.isASCII && (letter.isLetter || letter.isNumber)
            return isPlain || letter == "-" || letter == "_" ? letter : "_"
        }
        // Stages that differ only in other letters have different places.
        let suffix = String(stage) == job.stage ? "" : "_\(job.stageIndex)"
        return "\(id)\(branch).\(String(stage))\(suffix)"
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws {
        let part = path + ".part"
        let number = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard number >= 0 else { throw Self.failure("write", part) }
        do {
            try OwnedDescriptor(owning: number).writeAll(bytes)
        } catch {
            unlink(part)
            throw Self.failure("write", part, error.errorNumber)
        }
        guard rename(part, path) == 0 else {
            let code = errno
            unlink(part)
            throw Self.failure("name", path, code)
        }
    }

    private static func failure(
        _ doing: String, _ path: String, _ code: Int32 = errno
    ) -> ControllerError {
        ControllerError(.runDirectory, "can't \(doing) \(path): \(SystemText.ofError(code))")
    }

    // MARK: The worker

    private func writeTIFF(_ job: QuarantineJob, named name: String) throws {
        guard case .image = job.frame.payload else {
            throw ControllerError(.worker, "it is no image")
        }
        let executable = try WorkerExecutable.resolve(nil)
        let number = open("/dev/null", O_WRONLY | O_CLOEXEC)
        guard number >= 0 else { throw Self.failure("open", "/dev/null") }
        let silence = OwnedDescriptor(owning: number)
        let dialogue = try WorkerDialogue(
            executable: executable, errors: silence.rawValue, timeLimit: Self.timeLimit,
            isCancelled: isCancelled)
        try dialogue.send(.hello, requestId: 1) {
            Hello(
                capabilities: [.references, .stagedFiles], controllerProcessId: UInt32(getpid()),
                runId: runId, stageName: "quarantine", logLevel: "critical"
            )
            .write(to: &$0)
        }
        try dialogue.send(.start, requestId: 2) {
            StartCommand(configurationVersion: 1, processors: [writer(name)]).write(to: &$0)
        }
        var frame = job.frame
        if let bytes = job.bytes {
            frame.location = .inline(byteOffset: 0, byteCount: UInt64(bytes.count))
        }
        label(&frame, job)
        try dialogue.send(.process, requestId: 3, payload: job.bytes) {
            ProcessCommand(key: job.key, configurationVersion: 1, frame: frame).write(to: &$0)
        }
        try publish(result(dialogue), named: name)
    }

    private func writer(_ name: String) -> ProcessorSpecification {
        var settings = Structure()
        settings["outputDirectory"] = .scalar(.string(folder))
        settings["outputFileNameFormat"] = .scalar(.string(name))
        settings["overwrite"] = .scalar(.string("true"))
        return ProcessorSpecification(name: "AdOutputFileProcessor", settings: settings)
    }

    private func label(_ frame: inout FrameDescriptor, _ job: QuarantineJob) {
        frame.attributes.set("SluiceQuarantineReason", .string(job.reason))
        frame.attributes.set("SluiceQuarantineStage", .string(job.stage))
        frame.attributes.set("SluiceQuarantineAttempts", .uint32(job.attempts))
        frame.attributes.set("SluiceQuarantineFrame", .string("\(job.key)"))
    }

    private func result(_ dialogue: WorkerDialogue) throws -> FrameResult {
        try dialogue.answer { type, body in
            switch type {
            case .result: return try FrameResult(from: &body)
            case .reply:
                if case .failure(let failure) = try Reply(from: &body) {
                    throw ControllerError(.worker, failure.reason)
                }
                return nil
            default: return nil
            }
        }
    }

    /// Gives the staged file its name; one of an earlier try is replaced.
    private func publish(_ result: FrameResult, named name: String) throws {
        switch result.outcome {
        case .processed, .filtered: break
        case .failed(_, let reason), .returned(let reason), .held(let reason):
            throw ControllerError(.worker, reason)
        }
        guard let file = result.files.first, file.finalPath.hasSuffix("/" + name) else {
            throw ControllerError(.worker, "the worker has written no file")
        }
        guard rename(file.stagedPath, file.finalPath) == 0 else {
            throw Self.failure("name", file.finalPath)
        }
    }
}
