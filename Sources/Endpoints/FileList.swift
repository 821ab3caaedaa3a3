/// The paths of a source's files, in order: one block of bytes, not a text for each.
struct FileList: Sendable {
    /// The most files of one source: the list is held in memory, at about 100 bytes each.
    static let maximumCount = 10_000_000

    private var bytes: [UInt8] = []
    /// Where the path of each file lies in `bytes`.
    private var places: [Range<Int>] = []

    /// Number of files.
    var count: Int { places.count }

    /// The path of the file at `index`.
    subscript(index: Int) -> String { String(decoding: bytes[places[index]], as: UTF8.self) }

    /// Number of files, the first and the last name, and a checksum of all paths in their order.
    var fingerprint: String {
        guard let last = places.indices.last else { return "0 files" }
        var list = TextFingerprint()
        for place in places { list.add(bytes[place]) }
        let names = count == 1 ? "file \(name(0))" : "files from \(name(0)) to \(name(last))"
        return "\(count) \(names), list \(list.text)"
    }

    private func name(_ index: Int) -> String {
        let path = bytes[places[index]]
        let start = path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? path.startIndex
        return String(decoding: path[start...], as: UTF8.self)
    }

    private mutating func append(_ path: String) throws(SourceError) {
        guard count < Self.maximumCount else { throw .tooManyFiles(limit: Self.maximumCount) }
        let start = bytes.count
        bytes.append(contentsOf: path.utf8)
        places.append(start..<bytes.count)
    }

    /// The files that `arguments` name, in the order of the arguments; what a folder or a pattern gives
    /// is in natural order, and each file comes once, at its first place.
    ///
    /// `extensions` are those that files of a folder end in, in lower case.
    init(_ arguments: [String], extensions: [String]) throws(SourceError) {
        for argument in arguments {
            let start = count
            try add(argument, extensions: extensions)
            sort(from: start)
        }
        removeDuplicates()
    }

    private mutating func add(_ argument: String, extensions: [String]) throws(SourceError) {
        let kind: Result<FileKind, SystemFailure> = Result { () throws(SystemFailure) in
            try FileKind(path: argument)
        }
        switch kind {
        // A file whose name has brackets in it is itself, not a pattern.
        case .success(.file): try append(argument)
        case .success(.folder):
            if try !addFolder(argument, extensions: extensions) {
                throw .emptyFolder(path: argument, extensions: extensions)
            }
        case .success(.other): throw .notAFile(path: argument)
        case .failure(let failure):
            let pattern = PathPattern(argument)
            if pattern.isLiteral, !failure.isAbsence {
                throw .unreadable(path: argument, errorNumber: failure.errorNumber)
            }
            let start = count
            try pattern.forEachMatch { path, kind throws(SourceError) in
                switch kind {
                case .file: try append(path)
                // `run*` stands for what `run1 run2` would; under ** the files match themselves.
                case .folder:
                    if !pattern.hasAnyDepth { _ = try addFolder(path, extensions: extensions) }
                case .other: break
                }
            }
            if count == start { throw .noMatch(pattern: argument) }
        }
    }

    /// Adds the folder's files with one of `extensions`, hidden ones left out; false when it has none.
    private mutating func addFolder(
        _ folder: String, extensions: [String]
    ) throws(SourceError) -> Bool {
        let start = count
        try Directory.forEach(folder) { name, kind throws(SourceError) in
            guard kind == .file, !name.hasPrefix("."), let dot = name.lastIndex(of: ".") else {
                return
            }
            if extensions.contains(name[dot...].dropFirst().lowercased()) {
                try append(Directory.join(folder, name))
            }
        }
        return count > start
    }

    private mutating func sort(from start: Int) {
        bytes.withUnsafeBufferPointer { bytes in
            places[start...].sort { left, right in
                NaturalOrder.compare(.init(rebasing: bytes[left]), .init(rebasing: bytes[right]))
                    < 0
            }
        }
    }

    private mutating func removeDuplicates() {
        let repeated = bytes.withUnsafeBufferPointer { bytes in
            func compare(_ left: Int, _ right: Int) -> Int {
                NaturalOrder.compare(
                    .init(rebasing: bytes[places[left]]), .init(rebasing: bytes[places[right]]))
            }
            var order = Array(places.indices)
            order.sort { left, right in
                let difference = compare(left, right)
                return difference == 0 ? left < right : difference < 0
            }
            return zip(order, order.dropFirst()).compactMap { first, second in
                compare(first, second) == 0 ? second : nil
            }
        }
        guard !repeated.isEmpty else { return }
        var isRepeated = Array(repeating: false, count: places.count)
        for index in repeated { isRepeated[index] = true }
        // One pass: taking them out one by one would move the rest of the list each time.
        places = zip(places, isRepeated).lazy.filter { !$0.1 }.map(\.0)
    }
}
