extension ExportDestination {
    /// Whether a password, a token or a key stands in it, so that not everybody should read it.
    public var holdsSecret: Bool {
        switch self {
        case .graphite, .sqlite, .file, .standardOutput, .text: false
        case .postgresql(let url, _, _): Self.withoutSecrets(url) != url
        case .influx(let url, let secret, _), .elasticsearch(let url, _, let secret),
            .webhook(let url, let secret):
            secret != nil || Self.withoutSecrets(url) != url
        }
    }

    /// Keys in the query of a URL whose values are no secret; every other value is taken for one.
    private static let openKeys: Set<Substring> = [
        "db", "rp", "precision", "consistency", "org", "bucket", "host", "hostaddr", "port",
        "dbname", "user",
        "sslmode", "connect_timeout", "application_name", "u",
    ]

    /// A place as it may be shown: three stars for the password of a URL, for values of its query that may be
    /// secret, and for the password of a connection string of libpq. Where it is not clear what belongs to the
    /// password, more is hidden.
    package static func withoutSecrets(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://") else { return withoutSecretsOrScheme(text) }
        var shown = String(text[..<scheme.upperBound])
        var rest = text[scheme.upperBound...]
        if let at = rest.lastIndex(of: "@") {
            let user = rest[..<at].prefix { $0 != ":" }
            shown += user.endIndex == at ? user : user + ":***"
            rest = rest[at...]
        }
        guard let question = rest.firstIndex(of: "?") else { return shown + rest }
        let query = rest[rest.index(after: question)...].split(
            separator: "&", omittingEmptySubsequences: false
        ).map { pair -> Substring in
            let key = pair.prefix { $0 != "=" }
            return key.endIndex == pair.endIndex || openKeys.contains(key) ? pair : key + "=***"
        }
        return shown + rest[...question] + query.joined(separator: "&")
    }

    /// The same for the address of a host, `user:password@host:9200`, and a connection string of libpq, which
    /// begins with one of its keys.
    private static func withoutSecretsOrScheme(_ text: String) -> String {
        let begin = #/\s*(?:postgresql:)?\s*([a-z_]+)\s*=/#.ignoresCase()
        let key = (text.prefixMatch(of: begin)?.output.1).map { Substring($0.lowercased()) }
        let isConnection = key.map { openKeys.contains($0) || connectionKeys.contains($0) } ?? false
        if !isConnection, let at = text.lastIndex(of: "@"),
            let colon = text[..<at].firstIndex(of: ":")
        {
            let first = text[..<colon]
            if openKinds.contains(first) { return text }
            guard remoteKinds.contains(first) else { return "\(first):***" + text[at...] }
            // The kind of a destination stands before the user.
            let user = text[text.index(after: colon)..<at].prefix { $0 != ":" }
            return user.endIndex == at ? text : "\(first):\(user):***" + text[at...]
        }
        return text.replacing(
            #/(password\s*=\s*)('(?:\\.|[^'\\])*'?|(?:\\.|[^\s\\])+)/#.ignoresCase()
        ) {
            "\($0.output.1)***"
        }
    }

    /// Kinds of destinations without passwords, and those that may have one.
    private static let openKinds: Set<Substring> = [
        "graphite", "sqlite", "file", "stdout", "tcp", "udp",
    ]
    private static let remoteKinds: Set<Substring> = [
        "influx", "postgresql", "elasticsearch", "webhook",
    ]

    /// Keys of libpq besides those above with which people begin a connection string.
    private static let connectionKeys: Set<Substring> = [
        "password", "passfile", "service", "sslpassword", "sslrootcert", "options",
        "target_session_attrs", "requiressl", "gssencmode", "channel_binding",
    ]
}

extension TelemetryConfiguration {
    /// Whether a password, a token or a key stands in it, so that not everybody should read it.
    public var holdsSecret: Bool { exporters.contains { $0.destination.holdsSecret } }
}
