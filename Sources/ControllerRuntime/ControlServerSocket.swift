internal import CLinux
internal import Glibc
internal import Pipes

/// System calls on the control socket. A socket address holds 108 bytes, a path may have more: the
/// socket is named through the open descriptor of its folder (man 5 proc, /proc/pid/fd).
enum ControlSocket {
    /// Makes the socket of a run directory, in the place of a stale one, and listens without
    /// blocking.
    static func listen(
        in folder: borrowing OwnedDescriptor
    ) throws(PipeError) -> OwnedDescriptor {
        let socket = try make()
        remove(in: folder)
        guard withAddress(in: folder, { bind(socket.rawValue, $0, $1) }) == 0,
            Glibc.listen(socket.rawValue, Int32(ControlLimits.maximumClientCount)) == 0
        else { throw PipeError(.configure, errorNumber: errno) }
        try socket.setNonblocking(true)
        return socket
    }

    /// A connection to the socket of a run directory; ENOENT and ECONNREFUSED: nobody listens.
    static func connect(
        in folder: borrowing OwnedDescriptor
    ) throws(PipeError) -> OwnedDescriptor {
        let socket = try make()
        guard withAddress(in: folder, { Glibc.connect(socket.rawValue, $0, $1) }) == 0 else {
            throw PipeError(.open, errorNumber: errno)
        }
        return socket
    }

    /// The next client, without blocking; nil when there is none.
    static func accept(_ listener: borrowing OwnedDescriptor) -> OwnedDescriptor? {
        while true {
            let number = Glibc.accept(listener.rawValue, nil, nil)
            if number < 0 {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return nil
            }
            let client = OwnedDescriptor(owning: number)
            // Workers get only the descriptors that are named for them, so nothing is lost between
            // these calls.
            guard fcntl(number, F_SETFD, FD_CLOEXEC) == 0,
                cl_set_nonblocking(number, 1) == 0
            else { return nil }
            return client
        }
    }

    /// Removes the name.
    static func remove(in folder: borrowing OwnedDescriptor) {
        unlinkat(folder.rawValue, RunDirectory.File.controlSocket.rawValue, 0)
    }

    private static func make() throws(PipeError) -> OwnedDescriptor {
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        if number < 0 { throw PipeError(.open, errorNumber: errno) }
        let socket = OwnedDescriptor(owning: number)
        if fcntl(number, F_SETFD, FD_CLOEXEC) != 0 {
            throw PipeError(.configure, errorNumber: errno)
        }
        return socket
    }

    private static func withAddress(
        in folder: borrowing OwnedDescriptor,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        let name = RunDirectory.File.controlSocket.rawValue
        let path = Array("/proc/self/fd/\(folder.rawValue)/\(name)".utf8)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
