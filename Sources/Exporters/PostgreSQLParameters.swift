internal import CPostgreSQL

/// What a connection is made with, as libpq reads it.
struct PostgreSQLParameters: Sendable {
    /// Keywords of libpq with their values.
    private let values: [String: Secret]

    /// Reads a connection string; nil when it can't be read. Why is not said, because libpq quotes what it
    /// did not understand, and that may be a password.
    init?(connectionString: Secret) {
        guard let options = PQconninfoParse(connectionString.text, nil) else { return nil }
        defer { PQconninfoFree(options) }
        var values: [String: Secret] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                values[String(cString: keyword)] = Secret(String(cString: value))
            }
            option += 1
        }
        self.values = values
    }

    init(host: String, port: Int, user: String, password: Secret?, database: String) {
        var values: [String: Secret] = [
            "host": Secret(host), "port": Secret("\(port)"), "user": Secret(user),
            "dbname": Secret(database),
        ]
        values["password"] = password
        self.values = values
    }

    /// Where, in messages.
    var display: String {
        func value(_ key: String, _ otherwise: String) -> String { values[key]?.text ?? otherwise }
        return "PostgreSQL at \(value("host", value("hostaddr", "the default host")))"
            + ":\(value("port", "5432"))"
    }

    /// One server of a list, which libpq tries in order.
    private struct Place {
        let host: String
        let address: String
        let port: String
    }

    /// The keywords and values to connect with: names of hosts come with all their addresses, so that libpq,
    /// whose own lookup can't be interrupted, has none to do.
    func resolved(
        until deadline: ContinuousClock.Instant, lookup: HostLookup, interruption: Interruption
    ) throws(SQLFailure) -> [(keyword: String, value: String)] {
        var result = values
        // Our texts are UTF-8, and `application_name` of the string wins over ours.
        result["client_encoding"] = "UTF8"
        result["fallback_application_name"] = "Sluice"
        guard let hosts = values["host"]?.text, values["hostaddr"] == nil else {
            return result.map { ($0.key, $0.value.text) }
        }
        let names = hosts.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let ports = (values["port"]?.text ?? "").split(
            separator: ",", omittingEmptySubsequences: false
        ).map(String.init)
        guard !names.allSatisfy(HostLookup.isAddress) else {
            return result.map { ($0.key, $0.value.text) }
        }
        var places: [Place] = []
        var reasons: [String] = []
        for (index, name) in names.enumerated() {
            let port = ports.count == names.count ? ports[index] : ports.first ?? ""
            if HostLookup.isAddress(name) {
                places.append(Place(host: name, address: "", port: port))
                continue
            }
            switch lookup.addresses(of: name, until: deadline, interruption: interruption) {
            case .addresses(let addresses)?:
                places += addresses.map { Place(host: name, address: $0, port: port) }
            case .none(let reason)?: reasons.append("the host '\(name)' is not known (\(reason))")
            case nil: reasons.append("the host '\(name)' was not looked up in time")
            }
        }
        guard !places.isEmpty else {
            throw SQLFailure(.lost, "\(display): " + reasons.joined(separator: "; "))
        }
        result["host"] = Secret(places.map(\.host).joined(separator: ","))
        result["hostaddr"] = Secret(places.map(\.address).joined(separator: ","))
        result["port"] = Secret(places.map(\.port).joined(separator: ","))
        return result.map { ($0.key, $0.value.text) }
    }
}
