internal import NDArrays

/// What a message is; the raw value is the header's message type. Types below 64 go to the worker,
/// types from 64 come from it.
package enum MessageType: UInt16, Sendable, CaseIterable {
    /// Controller → worker, first of all: versions, capabilities, pools.
    case hello = 1
    /// Which processors the executable offers; answered by `description`.
    case describe = 2
    /// Make the processors and start them; answered by `reply`.
    case start = 3
    /// One step of a change of configuration; answered by `reply`.
    case configure = 4
    /// Process one frame; answered by `result`.
    case process = 5
    /// Answered by `statistics`, also while a frame is being processed.
    case getStats = 6
    /// Set counters to zero; answered by `reply`.
    case resetStats = 7
    /// Finish what was handed out, call the stop hooks, answer by `reply`, exit with 0.
    case stop = 8
    /// Are you there; answered by `reply`, also while a frame is being processed.
    case ping = 9

    /// The answer to `hello`.
    case welcome = 64
    /// The answer to `describe`.
    case description = 65
    /// The answer to commands that give no data: success, or a typed error.
    case reply = 66
    /// What became of one frame.
    case result = 67
    /// The answer to `getStats`.
    case statistics = 68
    /// Not asked for: a frame is now being processed (only without a status page).
    case started = 69
    /// Not asked for: a prepared configuration was applied, or could not be.
    case configured = 70
    /// Not asked for: the worker is about to stage its first file of this life in a folder.
    case staging = 71
}

/// What a side can do beyond the minimum, as a set of bits in the handshake.
package struct Capabilities: OptionSet, Sendable, Hashable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Frames in shared pools; without it all pixels go inline.
    package static let sharedPools = Capabilities(rawValue: 1 << 0)
    /// References: the worker reads frames from files itself.
    package static let references = Capabilities(rawValue: 1 << 1)
    /// The worker writes to its status page instead of sending `started`.
    package static let statusPage = Capabilities(rawValue: 1 << 2)
    /// Files are staged and committed by the controller.
    package static let stagedFiles = Capabilities(rawValue: 1 << 3)
    /// Staged files are on the disk (fdatasync) before their result is sent.
    package static let syncedFiles = Capabilities(rawValue: 1 << 4)
    /// What the worker gets and gives is secret: the controller overwrites the slots that its frames lay in
    /// when they are free again.
    package static let wipedSlots = Capabilities(rawValue: 1 << 5)
}

/// The files by which a worker says that a frame may be accepted once and never again.
package enum ReplayEntry {
    /// How their names end. A name that is taken makes the frame a replay.
    package static let suffix = ".seen"
}

/// Limits of the fields of messages, each far above real use and low enough that a damaged count is
/// recognised. Reaching one is a `WireError`.
package enum ProtocolLimits {
    /// Bytes of a name: processor, setting, attribute, stage.
    package static let maximumNameByteCount = 1 << 10
    /// Bytes of a text: error reasons, attribute values, paths (PATH_MAX is 4096).
    package static let maximumTextByteCount = 1 << 18
    /// Bytes of the reason of a failure; longer ones are cut by the writer.
    package static let maximumReasonByteCount = 1 << 16
    /// Attributes of one frame; areaDetector files hold at most 526.
    package static let maximumAttributeCount = 1 << 12
    /// Members of one structure or list.
    package static let maximumFieldCount = 1 << 16
    /// How deep structures and lists nest.
    package static let maximumDepth = 16
    /// Processors in a chain or an executable.
    package static let maximumProcessorCount = 1 << 10
    /// Pools that one worker maps.
    package static let maximumPoolCount = 64
    /// Bytes of one pool, 64 TiB (`SharedRegion.maximumByteCount`).
    package static let maximumPoolByteCount = UInt64(SharedRegion.maximumByteCount)
    /// Page size that slots are multiples of, so that every slot is aligned for any element.
    package static let slotAlignment: UInt64 = 4096
    /// Bytes of one frame (`ArrayLayout.maximumByteCount`).
    package static let maximumFrameByteCount = UInt64(ArrayLayout.maximumByteCount)
    /// Bytes of an inline frame and its offset together: what the header's payload field can say.
    package static let maximumInlineByteCount = UInt64(UInt32.max)
    /// Bytes of all outputs of a frame, and of a file; sums of some 10⁵ of them fit in 64 bits.
    package static let maximumOutputByteCount: UInt64 = 1 << 46
    /// Nanoseconds that one frame may take, 13 days; sums of some 10⁴ of them fit in 64 bits.
    package static let maximumProcessingNanoseconds: UInt64 = 1 << 50
    /// Seconds of a time stamp before and after 1970, 272 years: as nanoseconds they fit in 64
    /// bits.
    package static let maximumSeconds: Int64 = 1 << 33
    /// Outputs, leased slots and staged files of one frame (`FrameKey.maximumOutputCount`).
    package static let maximumOutputCount = 1023
    /// Claims of one frame: a chain with so many decryptors, each inside the other, is no real one.
    package static let maximumClaimCount = 8
    /// Statistics of one processor.
    package static let maximumStatisticCount = 1 << 12
}
