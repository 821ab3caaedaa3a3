internal import CCURL
internal import Glibc

/// A request to be sent.
struct HTTPRequest: Sendable {
    var method = "POST"
    var endpoint: HTTPEndpoint
    var contentType: String
    var headers: [HTTPHeader] = []
    var body: [UInt8]
}

/// What a server answered.
struct HTTPAnswer: Sendable {
    var status: Int
    var body: [UInt8]
    /// Whether the body is longer than what was kept.
    var isCut: Bool
    /// How long the server asks to be left alone, at most an hour: none may silence a destination for good.
    var retryAfter: Duration?

    /// The body in a message.
    var excerpt: String { Exporters.excerpt(String(decoding: body.prefix(1200), as: UTF8.self)) }
}

/// Why there is no answer.
struct HTTPFailure: Error, Sendable {
    let reason: String
    /// Whether somebody has to change something before it can work, such as a certificate.
    var isConfiguration = false
}

/// Requests over libcurl, one after the other on a connection that is kept alive.
///
/// The multi interface carries them out, because its wait can be ended at once from another thread; the
/// progress callback of the easy one is called once a second.
final class HTTPClient: @unchecked Sendable {
    // Guard of `handles`: one thread at a time calls `send` and `close`, as `Exporter` says.
    private var handles: CURLHandles?
    let interruption: Interruption
    private let settings: HTTPSettings

    init(exporter: String, settings: HTTPSettings) throws(ExporterConfigurationError) {
        try settings.check(exporter: exporter)
        guard CURLHandles.isLibraryReady else {
            throw ExporterConfigurationError(exporter, "libcurl can't be used; reinstall it")
        }
        self.settings = settings
        interruption = try Interruption(exporter: exporter)
    }

    /// Ends the connection; the next request makes another.
    func close() { handles = nil }

    /// Sends a request and waits for the answer; fails when there is none before `deadline`.
    func send(
        _ request: HTTPRequest, until deadline: ContinuousClock.Instant
    ) throws(HTTPFailure) -> HTTPAnswer {
        guard let handles = handles ?? CURLHandles() else {
            throw HTTPFailure(reason: "libcurl has no memory left")
        }
        self.handles = handles
        let receiver = AnswerReceiver(limit: settings.maximumAnswerByteCount)
        let headers = HeaderList(lines(of: request))
        curl_easy_reset(handles.easy)
        let code = request.body.withUnsafeBytes { body in
            // libcurl takes no pointer for "read the body from elsewhere".
            withUnsafeBytes(of: UInt8(0)) { nothing -> TransferEnd in
                var options = CURLOptions(handles.easy)
                settings.apply(to: &options, authenticationOf: request.endpoint)
                let milliseconds = max(1, deadline.millisecondsFromNow)
                options.set(CURLOPT_TIMEOUT_MS, milliseconds)
                options.set(
                    CURLOPT_CONNECTTIMEOUT_MS,
                    min(milliseconds, settings.connectTimeLimit.milliseconds))
                options.set(CURLOPT_URL, request.endpoint.url)
                options.set(CURLOPT_CUSTOMREQUEST, request.method)
                options.set(CURLOPT_POST, 1)
                options.set(CURLOPT_POSTFIELDSIZE_LARGE, offset: body.count)
                options.set(CURLOPT_POSTFIELDS, body.baseAddress ?? nothing.baseAddress)
                options.set(CURLOPT_HTTPHEADER, UnsafeRawPointer(headers.list))
                options.set(CURLOPT_ERRORBUFFER, UnsafeRawPointer(handles.errorText))
                options.receive(with: receiver)
                guard options.failure == CURLE_OK else { return .ended(options.failure) }
                return withoutBrokenPipeSignal {
                    handles.transfer(until: deadline, interruption: interruption)
                }
            }
        }
        return try answer(code, handles, receiver, request.endpoint)
    }

    private func lines(of request: HTTPRequest) -> [String] {
        var lines = ["Content-Type: \(request.contentType)", "Expect:"]
        if case .scheme(let name, let credentials) = settings.authentication {
            lines.append("Authorization: \(name) \(credentials.text)")
        }
        for header in settings.headers + request.headers {
            let name = header.name.lowercased()
            if name == "content-type" { lines.removeFirst() }
            // With a semicolon libcurl sends a header without a value, with a colon none.
            let text = header.value.text
            lines.append(text.isEmpty ? "\(header.name);" : "\(header.name): \(text)")
        }
        return lines
    }

    /// What the end of a transfer says.
    private func answer(
        _ end: TransferEnd, _ handles: CURLHandles, _ receiver: AnswerReceiver,
        _ endpoint: HTTPEndpoint
    ) throws(HTTPFailure) -> HTTPAnswer {
        guard case .ended(let code) = end else {
            close()
            throw HTTPFailure(reason: "\(endpoint.display): interrupted")
        }
        let status = ccurl_response_code(handles.easy)
        // The status has come before the body: with too much of that it still counts.
        guard code == CURLE_OK || (receiver.isCut && !receiver.hasTooManyHeaders) else {
            let detail = handles.errorDescription
            close()
            throw failure(code, detail, receiver, endpoint)
        }
        if receiver.isCut { close() }
        let seconds = ccurl_retry_after(handles.easy)
        return HTTPAnswer(
            status: status, body: receiver.body, isCut: receiver.isCut,
            retryAfter: seconds > 0 ? .seconds(min(seconds, 3600)) : nil)
    }

    private func failure(
        _ code: CURLcode, _ detail: String, _ receiver: AnswerReceiver, _ endpoint: HTTPEndpoint
    ) -> HTTPFailure {
        let place = endpoint.display
        if receiver.hasTooManyHeaders {
            return HTTPFailure(
                reason:
                    "\(place): its headers are longer than \(AnswerReceiver.maximumHeaderByteCount) "
                    + "bytes; is it the right server?")
        }
        let text = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : excerpt(detail)
        switch code {
        case CURLE_OPERATION_TIMEDOUT:
            return HTTPFailure(reason: "\(place): no answer within the time limit (\(text))")
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM:
            return HTTPFailure(
                reason: "\(place): the certificate is not accepted (\(text)); set "
                    + "certificateAuthorityFile to the authority that signed it",
                isConfiguration: true)
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY:
            return HTTPFailure(
                reason: "\(place): the answer is no HTTP (\(text)); is it the right port?")
        default: return HTTPFailure(reason: "\(place): \(text)")
        }
    }
}

extension HTTPSettings {
    /// Everything that is the same for all requests.
    fileprivate func apply(to options: inout CURLOptions, authenticationOf endpoint: HTTPEndpoint) {
        options.set(CURLOPT_NOSIGNAL, 1)
        // Without it a name server that hangs would hold the end of a transfer for as long as it hangs.
        options.set(CURLOPT_QUICK_EXIT, 1)
        options.set(CURLOPT_TCP_KEEPALIVE, 1)
        options.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        options.set(CURLOPT_USERAGENT, "Sluice")
        options.set(CURLOPT_PROTOCOLS_STR, "http,https")
        options.set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        // Empty: none, where nothing would mean what the environment says.
        options.set(CURLOPT_PROXY, proxy ?? "")
        options.set(CURLOPT_NOPROXY, "")
        options.set(CURLOPT_FOLLOWLOCATION, maximumRedirects > 0 ? 1 : 0)
        options.set(CURLOPT_MAXREDIRS, maximumRedirects)
        options.set(CURLOPT_POSTREDIR, 7)  // CURL_REDIR_POST_ALL, a macro that Swift does not see
        options.set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        options.set(CURLOPT_SSL_VERIFYPEER, verifiesCertificate ? 1 : 0)
        options.set(CURLOPT_SSL_VERIFYHOST, verifiesCertificate ? 2 : 0)
        if let certificateAuthorityFile {
            options.set(CURLOPT_CAINFO, certificateAuthorityFile)
        }
        switch authentication == .none ? endpoint.authentication : authentication {
        case .none, .scheme: break
        case .basic(let user, let password):
            options.set(CURLOPT_HTTPAUTH, 1)  // CURLAUTH_BASIC
            options.set(CURLOPT_USERNAME, user)
            options.set(CURLOPT_PASSWORD, password.text)
        case .bearer(let token):
            options.set(CURLOPT_HTTPAUTH, 1 << 6)  // CURLAUTH_BEARER
            options.set(CURLOPT_XOAUTH2_BEARER, token.text)
        }
    }
}
