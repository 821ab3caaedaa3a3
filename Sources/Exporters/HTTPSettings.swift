/// A header of a request.
public struct HTTPHeader: Sendable, Hashable {
    /// The name, such as `X-Beamline`.
    public var name: String
    /// The value; it never stands in a message.
    public var value: Secret

    /// A header.
    public init(_ name: String, _ value: Secret) {
        self.name = name
        self.value = value
    }

    /// Whether both can stand in a request: a line feed in them would be another header.
    var isSound: Bool {
        let isToken = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
        return isToken && !name.isEmpty && !value.text.utf8.contains { $0 < 0x20 || $0 == 0x7F }
    }
}

/// How a client says who it is.
public enum HTTPAuthentication: Sendable, Hashable {
    /// Not at all, unless the URL has a user.
    case none
    /// User and password (RFC 7617).
    case basic(user: String, password: Secret)
    /// A token (RFC 6750).
    case bearer(Secret)
    /// Any other scheme with its credentials, such as `Token` or `ApiKey`.
    case scheme(String, Secret)
}

/// How an HTTP destination is talked to.
public struct HTTPSettings: Sendable, Hashable {
    /// Who the client is.
    public var authentication: HTTPAuthentication
    /// More headers of every request.
    public var headers: [HTTPHeader]
    /// The longest that connecting may take, TLS included; the time limit of a delivery holds besides.
    public var connectTimeLimit: Duration
    /// The file of the certificates (PEM) that are trusted; nil: those of the system.
    public var certificateAuthorityFile: String?
    /// Whether the server has to prove who it is; false only where nobody else is on the network.
    public var verifiesCertificate: Bool
    /// The proxy, such as `http://proxy:3128`; nil: none, whatever the environment says.
    public var proxy: String?
    /// How many redirects are followed; 0: none. Credentials go to no other host.
    public var maximumRedirects: Int
    /// The most bytes of an answer that are kept; of a longer one the rest is not read.
    public var maximumAnswerByteCount: Int

    /// Settings: no credentials, certificates checked, no proxy, no redirects.
    public init(
        authentication: HTTPAuthentication = .none, headers: [HTTPHeader] = [],
        connectTimeLimit: Duration = .seconds(10), certificateAuthorityFile: String? = nil,
        verifiesCertificate: Bool = true, proxy: String? = nil, maximumRedirects: Int = 0,
        maximumAnswerByteCount: Int = 1 << 20
    ) {
        self.authentication = authentication
        self.headers = headers
        self.connectTimeLimit = connectTimeLimit
        self.certificateAuthorityFile = certificateAuthorityFile
        self.verifiesCertificate = verifiesCertificate
        self.proxy = proxy
        self.maximumRedirects = maximumRedirects
        self.maximumAnswerByteCount = maximumAnswerByteCount
    }

    /// Refuses what can't be meant.
    func check(exporter: String) throws(ExporterConfigurationError) {
        for header in headers where !header.isSound {
            throw ExporterConfigurationError(
                exporter,
                "the header '\(excerpt(header.name))' has a character that none may have; remove it"
            )
        }
        if case .scheme(let name, let secret) = authentication,
            !HTTPHeader(name, secret).isSound
        {
            throw ExporterConfigurationError(
                exporter, "the credentials have a line feed or a control character; remove it")
        }
        if case .basic(let user, _) = authentication, user.contains(":") {
            throw ExporterConfigurationError(
                exporter, "the user has a colon, which HTTP does not allow; use another")
        }
        guard connectTimeLimit > .zero, maximumRedirects >= 0, maximumAnswerByteCount >= 1 else {
            throw ExporterConfigurationError(
                exporter,
                "connectTimeLimit and maximumAnswerByteCount must be above 0, maximumRedirects not "
                    + "below")
        }
    }
}
