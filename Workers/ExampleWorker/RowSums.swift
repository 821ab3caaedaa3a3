import DataProcessing

/// Writes the sum of every row into a text file, one number a line.
final class RowSums: AdImageProcessor {
    static let outputDirectory = Setting("outputDirectory", path: ".", "Folder for the files.")

    override class var summary: String { "Writes the sum of every row into a text file." }
    override class var settings: [any SettingDeclaration] { [outputDirectory] }

    private var path = ""
    private var directory: OutputDirectory?
    private let names: OutputNameFormat

    required init(configuration: Configuration) throws {
        names = try OutputNameFormat("{uniqueId:06}.txt")
        try super.init(configuration: configuration)
    }

    override func configure(_ configuration: Configuration) throws {
        path = configuration[Self.outputDirectory]
        if directory != nil { directory = try OutputDirectory(path: path) }
    }

    override func start() throws { directory = try OutputDirectory(path: path) }

    override func process(_ frame: Frame) throws -> Frame? {
        guard let directory else { return nil }
        let text = try frame.withPixels(of: UInt16.self) { pixels in
            var text = ""
            for y in 0..<pixels.height {
                var sum: UInt64 = 0
                for x in 0..<pixels.width { sum += UInt64(pixels[x, y]) }
                text += "\(sum)\n"
            }
            return Array(text.utf8)
        }
        let name = try names.name(for: frame)
        try outputFiles.stage(in: directory, name: name, frame: frame, overwrite: false) { file in
            try WrittenFile(writing: text, to: file, name: name)
        }
        return frame
    }
}
