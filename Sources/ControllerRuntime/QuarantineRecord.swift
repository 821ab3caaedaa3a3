internal import NDArrays
internal import WorkerProtocol

/// What is kept of a frame that took down too many workers: the file `NAME.json` in the folder
/// `quarantine` of a run. Paths in it are names in that folder.
struct QuarantineRecord: Codable, Equatable {
    /// A frame in a file.
    struct Reference: Codable, Equatable {
        var format: String
        var path: String
        var index: UInt64
    }

    /// One attribute; no value: undefined.
    struct Attribute: Codable, Equatable {
        var name: String
        var value: String?
        var description: String
        var source: String
    }

    /// The frame's key: 17, 17/0/3.
    var frame: String
    var uniqueId: UInt64
    var stage: String
    var reason: String
    /// Workers that ended while they processed it.
    var attempts: UInt32
    /// Source or file that it came from.
    var source: String
    /// Seconds since the POSIX epoch; nil when the source does not say.
    var timestamp: Double?
    /// What it carries: `uint16 512x512`, `bytes of …`, `structure …`.
    var payload: String
    /// The TIFF with its pixels and attributes; nil when there is none.
    var tiff: String?
    /// Its bytes as they are; nil when there are none.
    var raw: String?
    /// The file that it is in.
    var reference: Reference?
    /// Its attributes, without those that a referenced file holds itself.
    var attributes: [Attribute]
    /// Named values, where it is a structure.
    var structure: String?
    /// Why something is missing; nil when nothing is.
    var problem: String?

    /// What is known before anything was written.
    init(_ job: QuarantineJob) {
        frame = "\(job.key)"
        uniqueId = job.frame.uniqueId
        stage = job.stage
        reason = job.reason
        attempts = job.attempts
        source = job.frame.sourceName
        let time = job.frame.timeStamp
        if time != TimeStamp() {
            timestamp = Double(time.secondsPastEpoch) + Double(time.nanoseconds) / 1e9
        }
        switch job.frame.payload {
        case .image(let layout): payload = layout?.text ?? "image"
        case .bytes(let typeName): payload = "bytes of \(typeName)"
        case .structure(let values, let typeName):
            payload = "structure \(typeName)"
            structure = "\(values)"
        }
        if case .reference(let format, let path, let index) = job.frame.location {
            reference = Reference(format: format, path: path, index: index)
        }
        attributes = job.frame.attributes.map {
            Attribute(
                name: $0.name, value: $0.value?.description, description: $0.description,
                source: $0.source)
        }
    }
}
