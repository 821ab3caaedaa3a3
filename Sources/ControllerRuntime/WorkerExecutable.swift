internal import Glibc

/// Finds worker executables.
package enum WorkerExecutable {
    /// Name of the worker with the processors that come with Sluice.
    package static let standardName = "sluice-worker"

    /// The path of an executable: `path` as it is when it has a slash or names a file here, else beside the
    /// running program, else from PATH; nil means `sluice-worker`, which is not looked for here.
    ///
    /// - Throws: `ControllerError` when nothing is found.
    package static func resolve(_ path: String?) throws(ControllerError) -> String {
        if let path {
            if path.contains("/") || access(path, F_OK) == 0 { return path }
            if !path.isEmpty, let found = beside(path) ?? search(path) { return found }
            throw ControllerError(
                .worker,
                "there is no worker executable \(path.isEmpty ? "without a name" : path), "
                    + "neither here nor beside this program nor in PATH; give its path")
        }
        if let found = beside(standardName) ?? search(standardName) { return found }
        throw ControllerError(
            .worker,
            "\(standardName) is neither beside this program nor in PATH; build it with "
                + "`swift build`, or name a worker with --worker")
    }

    private static func beside(_ name: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return nil }
        let path = String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard let slash = path.lastIndex(of: "/") else { return nil }
        let found = String(path[...slash]) + name
        return access(found, X_OK) == 0 && !isFolder(found) ? found : nil
    }

    private static func search(_ name: String) -> String? {
        guard let variable = getenv("PATH") else { return nil }
        for folder in String(cString: variable).split(separator: ":") {
            let path = "\(folder)/\(name)"
            if access(path, X_OK) == 0 && !isFolder(path) { return path }
        }
        return nil
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
