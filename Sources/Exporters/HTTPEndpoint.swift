internal import CCURL

/// Where requests go.
struct HTTPEndpoint: Sendable, Hashable {
    /// The URL as it is requested: with its query, without user and password.
    let url: String
    /// The URL as messages name it: no query either, because tokens stand there, too.
    let display: String
    /// User and password that stood in the URL.
    let authentication: HTTPAuthentication

    /// Reads a URL; nil when it is none, or another than of HTTP. Why is not said in detail, because
    /// what can't be read may hold a password.
    init?(_ text: String) {
        guard let parts = curl_url() else { return nil }
        defer { curl_url_cleanup(parts) }
        guard text.withCString({ curl_url_set(parts, CURLUPART_URL, $0, 0) }) == CURLUE_OK else {
            return nil
        }
        let scheme = Self.part(parts, CURLUPART_SCHEME)
        guard scheme == "http" || scheme == "https" else { return nil }
        let decode = UInt32(CURLU_URLDECODE)
        if let user = Self.part(parts, CURLUPART_USER, decode) {
            let password = Self.part(parts, CURLUPART_PASSWORD, decode) ?? ""
            authentication = .basic(user: user, password: Secret(password))
        } else {
            authentication = .none
        }
        for part in [CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_FRAGMENT] {
            curl_url_set(parts, part, nil, 0)
        }
        guard let url = Self.part(parts, CURLUPART_URL) else { return nil }
        self.url = url
        curl_url_set(parts, CURLUPART_QUERY, nil, 0)
        guard let display = Self.part(parts, CURLUPART_URL) else { return nil }
        self.display = display
    }

    private static func part(
        _ parts: OpaquePointer, _ part: CURLUPart, _ flags: UInt32 = 0
    ) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(parts, part, &text, flags) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }

    /// Reads the URL of an exporter.
    static func read(
        _ text: String, exporter: String
    ) throws(ExporterConfigurationError) -> HTTPEndpoint {
        guard let endpoint = HTTPEndpoint(text) else {
            throw ExporterConfigurationError(
                exporter,
                "its URL can't be read; it has the form http://host:port/path, with https for TLS")
        }
        return endpoint
    }
}
