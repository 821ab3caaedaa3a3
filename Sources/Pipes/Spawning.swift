internal import CLinux
internal import Glibc

/// One posix_spawn(3) with everything around it.
enum Spawning {
    static func result(of request: SpawnRequest) -> Result<pid_t, SpawnError> {
        do throws(SpawnError) {
            return .success(try spawn(request))
        } catch {
            return .failure(error)
        }
    }

    private static func spawn(_ request: SpawnRequest) throws(SpawnError) -> pid_t {
        let environment = environmentTexts(request.environmentChanges)
        let arguments = [request.executable] + request.arguments
        guard (arguments + environment).allSatisfy({ !$0.utf8.contains(0) }) else {
            throw SpawnError(.badRequest, executable: request.executable)
        }
        // Above every number of the child, so that no dup2 overwrites a source that is still
        // needed.
        let sources = try duplicates(request)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        addActions(&actions, sources: sources, maximum: request.largestChildDescriptor)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        setAttributes(&attributes)

        var pid: pid_t = 0
        let errorNumber = withCStrings(arguments) { argumentPointers in
            withCStrings(environment) { environmentPointers in
                posix_spawn(
                    &pid, request.executable, &actions, &attributes, argumentPointers,
                    environmentPointers)
            }
        }
        for source in sources.values { close(source) }
        if errorNumber != 0 {
            throw SpawnError(errorNumber: errorNumber, executable: request.executable)
        }
        return pid
    }

    /// [child's number: our duplicate above all of the child's numbers].
    private static func duplicates(
        _ request: SpawnRequest
    ) throws(SpawnError) -> [Int32: Int32] {
        var sources: [Int32: Int32] = [:]
        for (target, source) in request.descriptors {
            let isInRange = (0...SpawnRequest.maximumChildDescriptor).contains(target)
            let copy = isInRange ? cl_duplicate(source, request.largestChildDescriptor + 1) : -1
            if copy < 0 {
                let errorNumber = errno
                for other in sources.values { close(other) }
                let isTheirs = !isInRange || errorNumber == EBADF
                throw SpawnError(
                    isTheirs ? .badRequest : .system(errorNumber: errorNumber),
                    executable: request.executable)
            }
            sources[target] = copy
        }
        return sources
    }

    private static func addActions(
        _ actions: inout posix_spawn_file_actions_t, sources: [Int32: Int32], maximum: Int32
    ) {
        for number in 0...maximum {
            if let source = sources[number] {
                posix_spawn_file_actions_adddup2(&actions, source, number)
            } else if number <= 2 {
                // A free low number would be taken by the first file that the child opens.
                posix_spawn_file_actions_addopen(
                    &actions, number, "/dev/null", number == 0 ? O_RDONLY : O_WRONLY, 0)
            } else {
                posix_spawn_file_actions_addclose(&actions, number)
            }
        }
        _ = cl_spawn_add_close_from(&actions, maximum + 1)
    }

    private static func setAttributes(_ attributes: inout posix_spawnattr_t) {
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        // A group of its own: Ctrl-C in the terminal is for the controller alone.
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP
        posix_spawnattr_setflags(&attributes, Int16(flags))
    }

    /// This process's environment with the changes, as "NAME=value".
    private static func environmentTexts(_ changes: [String: String?]) -> [String] {
        var texts: [String] = []
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            let name = String(text.prefix { $0 != "=" })
            if changes[name] == nil { texts.append(text) }
            next += 1
        }
        for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
            if let value { texts.append("\(name)=\(value)") }
        }
        return texts
    }

    private static func withCStrings<Value>(
        _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Value
    ) -> Value {
        var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers)
    }
}

extension SpawnRequest {
    /// The largest number that the child has open, at least 2.
    var largestChildDescriptor: Int32 {
        min(Self.maximumChildDescriptor, max(2, descriptors.keys.max() ?? 2))
    }
}
