internal import NDArrays

/// A kind of source, for help texts and for checking what a person wrote.
public struct SourceKind: Sendable, Hashable {
    /// One setting of a kind.
    public struct Setting: Sendable, Hashable {
        /// The key.
        public var name: String
        /// The value where none is given, as text; empty: one has to be given.
        public var defaultText: String
        /// What is allowed: `a whole number from 0 up`, `one of rings, ramp`.
        public var allowed: String
        /// One sentence for people.
        public var summary: String

        init(_ name: String, default defaultText: String, _ allowed: String, _ summary: String) {
            self.name = name
            self.defaultText = defaultText
            self.allowed = allowed
            self.summary = summary
        }
    }

    /// The word before the colon: `tiff`, `npy`, `sim`.
    public var name: String
    /// One sentence for people.
    public var summary: String
    /// Whether it takes files, folders and patterns.
    public var takesPaths: Bool
    /// Its settings, in the order in which help shows them.
    public var settings: [Setting]

    /// A source of this kind as a person may write it on the command line.
    public var example: String
}

extension SourceKind {
    private static let paths = Setting(
        "paths", default: "", "files, folders and patterns",
        "Files, folders (their files with the kind's extensions) and patterns with *, ?, [a-z] and "
            + "** for folders at any depth; taken in the order given, a folder's and a pattern's "
            + "files in natural order (scan2 before scan10), each file once.")

    static let tiff = SourceKind(
        name: "tiff",
        summary: "TIFF and BigTIFF files, page by page; workers read them themselves.",
        takesPaths: true, settings: [paths], example: "tiff:scan/*.tif")

    static let npy = SourceKind(
        name: "npy",
        summary:
            "NumPy .npy files; an array with three dimensions is one frame for each of its first.",
        takesPaths: true, settings: [paths], example: "npy:stack.npy")

    static let sim = SourceKind(
        name: "sim",
        summary: "Simulated frames; pixels depend on seed and frame only, time stamps are an epoch "
            + "plus position over rate.",
        takesPaths: false,
        settings: [
            Setting(
                "count", default: "100", "a whole number from 0 up", "Frames; 0: without end."),
            Setting(
                "shape", default: "1024x1024", "rows x columns, each from 1 to 65536",
                "Rows and columns of a frame."),
            Setting(
                "type", default: "uint16",
                "one of " + ElementType.allCases.map(\.name).joined(separator: ", "),
                "Type of a pixel; counts that do not fit are held at its largest value."),
            Setting(
                "pattern", default: "rings",
                "one of " + SimulatedPattern.allCases.map(\.rawValue).joined(separator: ", "),
                "rings: powder diffraction with Poisson noise; ramp: counts up along the pixels "
                    + "and from frame to frame; noise: uniform over the range of the type; flat: "
                    + "`level` everywhere; zero: memory never written, to measure hand-over."),
            Setting(
                "seed", default: "1", "a whole number from 0 up",
                "Another seed gives other noise."),
            Setting(
                "rate", default: "0", "a number from 0 up, in frames per second",
                "The pace at which frames come; 0: as fast as they are taken (time stamps then "
                    + "count milliseconds). It waits for the pipeline and loses nothing."),
            Setting("level", default: "100", "a number", "Value of every pixel of `flat`."),
            Setting(
                "live", default: "false", "true or false",
                "Frames come at `rate` by the clock and wait for nobody, as a detector's do; what a "
                    + "pipeline that is too slow does then says `overload` of its stages."),
        ],
        example: "sim:count=200,shape=1024x1024,type=uint16,pattern=rings,seed=1")

    /// The kind of `SelectedSource` that a run directory makes: only the command can read one, so it is
    /// not among those of `SourceFactory`.
    package static let failed = SourceKind(
        name: "failed",
        summary:
            "The frames of an earlier run that did not go through, from that run's own source.",
        takesPaths: false,
        settings: [
            Setting("run", default: "", "a run directory", "The earlier run; it must have ended."),
            Setting(
                "outcome", default: "failed",
                "failed, quarantined or dropped, or several as failed+dropped",
                "How the frames ended."),
        ],
        example: "failed:runs/today")
}
