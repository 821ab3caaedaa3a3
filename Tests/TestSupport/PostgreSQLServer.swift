import Foundation
public import Testing

/// PostgreSQL, with the role `det`, who may everything, and the role `locked`, who has a password.
public final class PostgreSQLServer: Sendable {
    /// The folder of the programs, nil when there is none.
    private static let programs: String? = {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql"))
        return (versions ?? []).compactMap(Int.init).sorted().reversed()
            .map { "/usr/lib/postgresql/\($0)/bin" }
            .first { TestServer.areThere("\($0)/initdb", "\($0)/postgres") }
    }()

    /// Whether PostgreSQL is there.
    public static let isThere =
        programs != nil && TestServer.areThere("/usr/bin/psql", "/usr/bin/setpriv")
    /// What to say where tests are skipped.
    public static let hint: Comment = "needs PostgreSQL: run scripts/servers"
    /// The password of the role `locked`.
    public static let password = "sesame open"

    /// The port on 127.0.0.1.
    public let port: UInt16
    private let process: TestServer
    private let folder: TemporaryFolder

    /// How a server ends.
    public enum Stop: Sendable {
        /// Transactions are rolled back, and what is in memory is written (SIGINT).
        case fast
        /// As a crash would: nothing is written, and the next start recovers (SIGQUIT).
        case immediate
    }

    /// Makes a database cluster and starts the server. PostgreSQL refuses to run as root; then the user
    /// `postgres` runs it.
    public init() throws {
        guard let programs = Self.programs else { throw TestServer.Failure("no PostgreSQL") }
        folder = try TemporaryFolder()
        port = try Loopback.freePort()
        let place = folder.file("cluster")
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755]
        )
        var user: [String] = []
        if getuid() == 0 {
            guard let entry = getpwnam("postgres") else {
                throw TestServer.Failure("there is no user postgres")
            }
            chown(place, entry.pointee.pw_uid, entry.pointee.pw_gid)
            user = [
                "/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
                // A change of user forgets the signal that was asked for before.
                "--pdeathsig", "KILL",
            ]
        }
        let data = place + "/data"
        let initialise =
            user + [
                "\(programs)/initdb", "-D", data, "-A", "trust", "-U", "det", "--no-sync",
                "--encoding=UTF8", "--locale=C.UTF-8",
            ]
        let (status, output) = try TestServer.run(initialise[0], Array(initialise.dropFirst()))
        guard status == 0 else { throw TestServer.Failure(output) }
        try store(
            Array(
                """
                host all locked 127.0.0.1/32 scram-sha-256
                host all all 127.0.0.1/32 trust

                """.utf8), data + "/pg_hba.conf")
        process = try TestServer(
            user + [
                "\(programs)/postgres", "-D", data, "-c", "listen_addresses=127.0.0.1", "-p",
                "\(port)", "-k", place, "-c", "fsync=off",
            ], listeningOn: [port], folder: folder)
        try waitUntilReady()
        try query("CREATE ROLE locked LOGIN PASSWORD '\(Self.password)'")
    }

    /// Ends the server and waits until it has ended.
    public func stop(_ how: Stop) {
        process.signal(how == .fast ? SIGINT : SIGQUIT)
        _ = Deadline(milliseconds: 30_000).wait { !process.isRunning }
        process.kill()
    }

    /// Starts the server again, on the same port and data, and waits until it takes queries.
    public func start() throws {
        try process.start()
        try waitUntilReady()
    }

    private func waitUntilReady() throws {
        let isReady = try Deadline(milliseconds: 30_000).wait { try psql("SELECT 1").status == 0 }
        guard isReady else { throw TestServer.Failure("no query is taken\n\(process.logEnd)") }
    }

    private func psql(_ text: String) throws -> (status: Int32, output: String) {
        try TestServer.run(
            "/usr/bin/psql",
            [
                "-h", "127.0.0.1", "-p", "\(port)", "-U", "det", "-d", "postgres", "-X", "-A", "-t",
                "-q", "-F", "|", "-v", "ON_ERROR_STOP=1", "-c", text,
            ])
    }

    /// Makes a tablespace on a disk of its own in memory, which a test may fill; needs the right to mount.
    public func makeTablespace(_ name: String, megabytes: Int) throws -> SmallDisk {
        let disk = try SmallDisk(at: folder.file(name), megabytes: megabytes)
        let place = disk.path + "/tablespace"
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        if getuid() == 0, let entry = getpwnam("postgres") {
            chown(place, entry.pointee.pw_uid, entry.pointee.pw_gid)
        }
        try query("CREATE TABLESPACE \(name) LOCATION '\(place)'")
        return disk
    }

    /// What psql prints for a query: a line for each row, columns divided by `|`.
    @discardableResult
    public func query(_ text: String) throws -> [String] {
        let (status, output) = try psql(text)
        guard status == 0 else { throw TestServer.Failure("\(text): \(output)") }
        return output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .map(String.init)
    }
}
