internal import Glibc

/// What to start, and with what.
package struct SpawnRequest: Equatable, Sendable {
    /// Path of the executable; it is not looked for in PATH.
    package var executable: String
    /// Arguments after the name of the program.
    package var arguments: [String]
    /// Changes to this process's environment: a value sets, nil removes.
    package var environmentChanges: [String: String?]
    /// Which descriptor of this process becomes which number of the child: [child's: ours].
    /// Numbers may overlap in any way. 0, 1 and 2 become /dev/null where they are not named;
    /// everything else is closed in the child.
    package var descriptors: [Int32: Int32]

    /// Largest number a child's descriptor may have: workers need fewer than ten, and each number
    /// below the largest costs a step in the spawning.
    package static let maximumChildDescriptor: Int32 = 63

    /// A request; `descriptors` is [child's number: ours].
    package init(
        executable: String, arguments: [String] = [], environmentChanges: [String: String?] = [:],
        descriptors: [Int32: Int32] = [:]
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environmentChanges = environmentChanges
        self.descriptors = descriptors
    }
}

/// Why a process could not be started.
package struct SpawnError: Error, Equatable, Sendable {
    /// What stands in the way.
    package enum Code: Equatable, Sendable {
        /// There is no such file.
        case missing
        /// The file is there and its interpreter or dynamic loader is not.
        case missingInterpreter
        /// It is not a file that may be executed.
        case notExecutable
        /// It is a program of another kind of machine.
        case wrongArchitecture
        /// It is neither a program nor a script that names its interpreter.
        case notAProgram
        /// A text has a zero byte, or a descriptor number is out of range or not open.
        case badRequest
        /// The program does not begin to run.
        case tooSlow
        /// The spawner was closed.
        case spawnerClosed
        /// Anything else that the system said.
        case system(errorNumber: Int32)
    }

    /// What stands in the way.
    package var code: Code
    /// The executable that was to be started.
    package var executable: String

    /// An error of `code` at starting `executable`.
    package init(_ code: Code, executable: String) {
        self.code = code
        self.executable = executable
    }
}

extension SpawnError: CustomStringConvertible {
    /// One sentence: what, which file, what to do.
    package var description: String {
        let path = "'\(executable)'"
        return switch code {
        case .missing: "there is no executable \(path); build it or correct the path"
        case .missingInterpreter:
            "\(path) is there, but the interpreter or loader that it names is not; install that"
        case .notExecutable: "\(path) may not be executed; try chmod +x, or give another file"
        case .wrongArchitecture:
            "\(path) is a program for another kind of machine; build it for this one"
        case .notAProgram:
            "\(path) is neither a program nor a script with #! in its first line"
        case .tooSlow:
            "\(path) does not begin to run; look whether its file system answers"
        case .badRequest:
            "the request to start \(path) has a zero byte in a text, or a descriptor that is not "
                + "open or not between 0 and \(SpawnRequest.maximumChildDescriptor)"
        case .spawnerClosed: "\(path) is not started because the spawner was closed"
        case .system(let number): "cannot start \(path): \(SystemText.ofError(number))"
        }
    }
}

extension SpawnError {
    /// What an error number of posix_spawn(3) means for this file.
    init(errorNumber: Int32, executable: String) {
        self.executable = executable
        switch errorNumber {
        case ENOENT, ENOTDIR:
            code = access(executable, F_OK) == 0 ? .missingInterpreter : .missing
        case EACCES, EPERM, EISDIR: code = .notExecutable
        case ENOEXEC, ELIBBAD: code = Self.isELF(executable) ? .wrongArchitecture : .notAProgram
        default: code = .system(errorNumber: errorNumber)
        }
    }

    private static func isELF(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { return false }
        defer { close(descriptor) }
        var magic: UInt32 = 0
        return read(descriptor, &magic, 4) == 4 && UInt32(littleEndian: magic) == 0x464C_457F
    }
}
