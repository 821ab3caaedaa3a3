import Glibc

/// The executables that were built together with the running tests.
public enum BuiltProducts {
    /// The path of an executable by the name of its product (`sluice-worker`); nil when it was not built.
    public static func executable(_ name: String) -> String? {
        for folder in folders {
            let path = folder + "/" + name
            if access(path, X_OK) == 0 { return path }
        }
        return nil
    }

    /// Where to look: beside this process's executable, and beside the test bundle, which SwiftPM names as
    /// an argument where the executable is a runner of its own.
    private static var folders: [String] {
        var found: [String] = []
        for path in [ownPath] + CommandLine.arguments {
            guard let end = path.lastIndex(of: "/") else { continue }
            found.append(String(path[..<end]))
        }
        return found
    }

    private static var ownPath: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            let count = readlink("/proc/self/exe", start, buffer.count)
            guard count > 0 else { return "" }
            return String(
                decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
