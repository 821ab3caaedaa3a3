internal import Journal
internal import Telemetry

extension HTTPAnswer {
    /// What the status says where the destination has no rules of its own: 2xx is delivered; 408, 425, 429
    /// and 5xx may succeed later (RFC 9110 §15, RFC 6585 §4), when the answer says so; everything else never
    /// does.
    func outcome(at endpoint: HTTPEndpoint) -> ExportOutcome {
        switch status {
        case 200..<300: .delivered(.null)
        case 408, 425, 429, 500..<600: .retryable(reason: text(at: endpoint), after: retryAfter)
        case 300..<400:
            .permanent(
                reason: text(at: endpoint) + "; redirects are followed as far as "
                    + "maximumRedirects says: set it, or the URL that the server names")
        default: .permanent(reason: text(at: endpoint))
        }
    }

    /// The same for a store of data, where a wrong password, user or database is nothing that the record is
    /// to blame for: it is kept until somebody has put that right.
    func storeOutcome(at endpoint: HTTPEndpoint, hint: String) -> ExportOutcome {
        switch status {
        case 401, 403, 404, 407, 300..<400:
            .retryable(
                reason: text(at: endpoint) + "; " + hint,
                after: retryAfter ?? OutcomeList.configurationPause)
        default: outcome(at: endpoint)
        }
    }

    /// Whether a request of several may have been refused because of one of them, or of their number.
    var mayBeRefusedForOne: Bool { status == 400 || status == 413 || status == 422 }

    /// Where and what, in one sentence.
    func text(at endpoint: HTTPEndpoint) -> String {
        "\(endpoint.display) answered \(status)" + (body.isEmpty ? "" : " (\(excerpt))")
    }
}
