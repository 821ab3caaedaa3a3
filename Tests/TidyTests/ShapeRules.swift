/// Lengths, banned words and comments.
enum ShapeRules {
    /// `swift format` keeps code to 100 columns; what it can't break, comments and texts, may have
    /// more, such as the rows of a table.
    static let maximumColumns = 120
    static let maximumFileLines = 500
    static let maximumFunctionLines = 70

    static func lengths(_ repository: Repository) -> [Finding] {
        var findings: [Finding] = []
        let files = repository.swift(in: "Sources", "Tests", "Workers")
        for file in files + [repository.file("Package.swift")].compactMap(\.self) {
            let lines = file.lines
            // The last line is empty: a file ends with a line feed.
            if lines.count - 1 > maximumFileLines {
                findings.append(
                    Finding(
                        path: file.path, line: lines.count,
                        message: "\(lines.count - 1) lines, at most \(maximumFileLines)"))
            }
            for (index, line) in lines.enumerated() where line.count > maximumColumns {
                findings.append(
                    Finding(
                        path: file.path, line: index + 1,
                        message: "\(line.count) columns, at most \(maximumColumns)"))
            }
            for function in file.code.functions
            where function.lineCount > maximumFunctionLines {
                findings.append(
                    Finding(
                        path: file.path, line: function.line,
                        message: "a function of \(function.lineCount) lines, at most "
                            + "\(maximumFunctionLines)"))
            }
        }
        return findings
    }

    /// Words that are not wanted in code, with what to do instead.
    private static let bannedInCode: [(word: String, advice: String)] = [
        ("try!", "throw, or use a precondition for an error of the program"),
        ("fatalError(", "throw what the outside can cause; else use precondition"),
        ("unsafeFlags", "packages with unsafe flags can't be depended on by version"),
    ]
    /// Words that are not wanted anywhere in a Swift file, put together so that they are not in this one.
    private static let bannedAnywhere = ["TO" + "DO", "FIX" + "ME"]
    private static let sleeps = ["sleep(", "Task.sleep", "nanosleep(", "usleep("]

    static func bannedWords(_ repository: Repository) -> [Finding] {
        var findings: [Finding] = []
        func look(
            _ file: Repository.File, _ lines: [some StringProtocol], _ word: String,
            _ advice: String
        ) {
            for (index, line) in lines.enumerated() where contains(line, word) {
                findings.append(
                    Finding(path: file.path, line: index + 1, message: "'\(word)': \(advice)"))
            }
        }
        for file in repository.swift(in: "Sources", "Tests", "Workers") {
            let code = file.code.lines
            for (word, advice) in bannedInCode { look(file, code, word, advice) }
            for word in bannedAnywhere {
                look(file, file.lines, word, "finish it, or write an issue")
            }
            // Benchmarks measure time, so they may let it pass.
            guard file.path.hasPrefix("Tests/"), !file.path.hasPrefix("Tests/Benchmarks/") else {
                continue
            }
            for word in sleeps { look(file, code, word, "wait for an event instead") }
        }
        return findings
    }

    /// Whether `word` is in `line`, not as the end of a longer word.
    private static func contains(_ line: some StringProtocol, _ word: String) -> Bool {
        line.ranges(of: word).contains { range in
            guard range.lowerBound > line.startIndex else { return true }
            let before = line[line.index(before: range.lowerBound)]
            return !(before.isLetter || before == "_" || before == ".")
        }
    }

    nonisolated(unsafe) private static let commentedOutCode =
        #/
        ^\s*//(?!/)\s*
        (?:(?:let|var)\s+\w+\s*[:=]|return\s+\w+[(.]|guard\s.+\selse|import\s+[A-Z]\w+$
        |\w+\(.*\)\s*\{?$|\}\s*$|(?:if|for|while|switch)\s.+\{\s*$|func\s+\w+[(<])
        /#

    static func commentedOutCode(_ repository: Repository) -> [Finding] {
        repository.swift(in: "Sources", "Tests", "Workers").flatMap { file in
            file.lines.enumerated().compactMap { index, line in
                guard line.contains(commentedOutCode) else { return nil }
                return Finding(
                    path: file.path, line: index + 1,
                    message: "commented-out code; the history keeps it")
            }
        }
    }

    /// Paths of the machine that the project was made on.
    static func machinePaths(_ repository: Repository) -> [Finding] {
        let places = ["work", "root", "opt/swift", "mnt"].map { "/\($0)/" }
        return repository.files.flatMap { file in
            file.lines.enumerated().compactMap { index, line in
                for place in places {
                    for range in line.ranges(of: place) {
                        let before =
                            range.lowerBound == line.startIndex
                            ? " " : line[line.index(before: range.lowerBound)]
                        if !before.isLetter, !before.isNumber, !")}.*_-$".contains(before) {
                            return Finding(
                                path: file.path, line: index + 1,
                                message: "'\(place)': the path of one machine")
                        }
                    }
                }
                return nil
            }
        }
    }
}
