public import DataProcessing
import TIFF

/// Writes every image into a TIFF file of its own and hands it on.
///
/// The files are staged: they have their names once the frame is accounted for.
open class AdOutputFileProcessor: AdImageProcessor {
    /// Where the files go.
    public static let outputDirectory = Setting(
        "outputDirectory", path: ".", "Folder for the files; made when it is missing.")
    /// How they are called.
    public static let outputFileNameFormat = Setting(
        "outputFileNameFormat", default: "{uniqueId:06}.tiff",
        "Name of each file: frameId, uniqueId, objectId, processorId, index, timestamp, sourceName "
            + "or any attribute in braces, with a width and zeros as in {uniqueId:06}.")
    /// How the pixels are compressed.
    public static let compression = Setting(
        "compression", default: "none", choices: ["none", "deflate", "lzw", "zstd"],
        "Compression of the pixels within the file.")
    /// Whether a file of the same name may be replaced.
    public static let overwrite = Setting(
        "overwrite", default: false,
        "Whether a file of the same name is replaced; otherwise the frame fails.")

    /// One sentence for people.
    open override class var summary: String { "Writes every image into a TIFF file of its own." }
    /// The settings.
    open override class var settings: [any SettingDeclaration] {
        [outputDirectory, outputFileNameFormat, compression, overwrite]
    }

    private var directoryPath = "."
    private var format: OutputNameFormat?
    private var writer = TIFFWriter()
    private var isOverwriting = false
    private var directory: OutputDirectory?
    private var isStarted = false

    private var nFilesSaved: UInt64 = 0
    private var nBytesSaved: UInt64 = 0
    private var fileProcessingNanoseconds: UInt64 = 0

    /// Reads the name format; opens nothing.
    open override func validate(_ configuration: Configuration) throws {
        _ = try Self.nameFormat(configuration)
    }

    /// Takes over the settings; while the run is going on, another folder is opened at once.
    open override func configure(_ configuration: Configuration) throws {
        let format = try Self.nameFormat(configuration)
        let path = configuration[Self.outputDirectory]
        if isStarted, path != directoryPath { directory = try OutputDirectory(path: path) }
        self.format = format
        directoryPath = path
        isOverwriting = configuration[Self.overwrite]
        writer = TIFFWriter(
            TIFFSettings(
                compression: TIFFCompression(rawValue: configuration[Self.compression]) ?? .none,
                computesChecksum: outputFiles.needsChecksum))
    }

    /// Makes and opens the folder.
    open override func start() throws {
        directory = try OutputDirectory(path: directoryPath)
        isStarted = true
    }

    /// Writes the file.
    open override func process(_ frame: Frame) throws -> Frame? {
        guard let directory, let format else {
            throw ProcessingError.noPipeline(operation: "AdOutputFileProcessor.process")
        }
        let started = monotonicNanoseconds()
        let name = try format.name(
            for: frame, processorId: processorId, objectIdField: objectIdField)
        let layout = try frame.layout
        let written = try outputFiles.stage(
            in: directory, name: name, frame: frame, overwrite: isOverwriting
        ) { descriptor in
            let file = try frame.withUnsafeBytes { pixels in
                try writer.write(
                    pixels, layout: layout, uniqueId: frame.uniqueId, timeStamp: frame.timeStamp,
                    attributes: frame.attributes, to: descriptor, path: name)
            }
            return WrittenFile(byteCount: file.byteCount, checksum: file.checksum)
        }
        nFilesSaved += 1
        nBytesSaved += UInt64(written.byteCount)
        fileProcessingNanoseconds += monotonicNanoseconds() - started
        return frame
    }

    /// Closes the folder.
    open override func stop() throws {
        directory = nil
        isStarted = false
    }

    /// Back to zero.
    open override func resetStats() {
        (nFilesSaved, nBytesSaved, fileProcessingNanoseconds) = (0, 0, 0)
    }

    /// The ancestor's five; rates are over the time spent on files, not over wall time.
    open override func getStats() -> [String: StatisticValue] {
        let seconds = Double(fileProcessingNanoseconds) / 1e9
        return [
            "nFilesSaved": .unsigned(nFilesSaved), "nBytesSaved": .unsigned(nBytesSaved),
            "fileProcessingTime": .real(seconds),
            "fileProcessingRate": .real(seconds > 0 ? Double(nFilesSaved) / seconds : 0),
            "dataStorageRateMBps": .real(seconds > 0 ? Double(nBytesSaved) / seconds / 1e6 : 0),
        ]
    }

    /// What the statistics are.
    open override func getStatsTypes() -> [StatisticDeclaration] {
        [
            StatisticDeclaration(
                key: "nFilesSaved", kind: .unsigned, unit: .count, description: "Files written"),
            StatisticDeclaration(
                key: "nBytesSaved", kind: .unsigned, unit: .bytes,
                description: "Bytes of those files"),
            StatisticDeclaration(
                key: "fileProcessingTime", kind: .real, unit: .seconds,
                description: "Time spent on writing"),
            StatisticDeclaration(
                key: "fileProcessingRate", kind: .real, unit: .framesPerSecond,
                description: "Files over the time spent on writing"),
            StatisticDeclaration(
                key: "dataStorageRateMBps", kind: .real, unit: .megabytesPerSecond,
                description: "10⁶ bytes over the time spent on writing"),
        ]
    }

    private static func nameFormat(_ configuration: Configuration) throws -> OutputNameFormat {
        let text = configuration[outputFileNameFormat]
        let format = try OutputNameFormat(text)
        let lower = text.lowercased()
        guard lower.hasSuffix(".tif") || lower.hasSuffix(".tiff") else {
            throw ConfigurationError.refused(
                processor: processorName, key: outputFileNameFormat.name,
                reason: "'\(text)' has to end in .tif or .tiff, the only format that is written")
        }
        return format
    }
}
