internal import FlyingFox
internal import FlyingSocks
internal import Foundation
internal import Synchronization

/// An answer to a request for a page.
struct Page: Sendable {
    /// The status of HTTP, such as 200.
    var status: Int
    /// The media type of the text, with its parameters.
    var contentType = "text/plain; charset=utf-8"
    /// What is shown.
    var text: String
}

/// Serves pages over HTTP/1.1 at one address.
final class PageServer: Sendable {
    /// Longest time that a page may take to make, in seconds.
    private static let timeLimit = 5.0

    private let address: PageAddress
    private let server: HTTPServer
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// A server that asks `page` for each GET: path and the value of `Accept`.
    ///
    /// - Throws: `TelemetryError` when the address is none.
    init(
        at address: PageAddress, page: @escaping @Sendable (String, String) async -> Page
    ) throws(TelemetryError) {
        self.address = address
        let handler = PageHandler(page: page)
        do {
            if address.host.contains(":") {
                server = HTTPServer(
                    address: try sockaddr_in6.inet6(ip6: address.host, port: address.port),
                    timeout: Self.timeLimit, logger: .disabled, handler: handler)
            } else {
                server = HTTPServer(
                    address: try sockaddr_in.inet(ip4: address.host, port: address.port),
                    timeout: Self.timeLimit, logger: .disabled, handler: handler)
            }
        } catch {
            throw TelemetryError(
                "can't listen at \(address): \(address.host) is no address of this machine; "
                    + "write numbers, as 127.0.0.1")
        }
    }

    /// Listens; returns when requests are answered.
    ///
    /// - Throws: `TelemetryError` when the address can't be had.
    func start() async throws {
        let server = self.server
        // Whichever comes first: it listens, or `run` ended, which says why it can't.
        let (outcomes, tell) = AsyncStream<Result<Void, any Error>>.makeStream()
        let running = Task {
            do { try await server.run() } catch { tell.yield(.failure(error)) }
        }
        task.withLock { $0 = running }
        Task {
            do {
                try await server.waitUntilListening(timeout: Self.timeLimit)
                tell.yield(.success(()))
            } catch { tell.yield(.failure(error)) }
        }
        do {
            var first = outcomes.makeAsyncIterator()
            try await first.next()?.get()
        } catch {
            running.cancel()
            throw TelemetryError(
                "can't listen at \(address): \(Self.reason(of: error)); choose another port or "
                    + "end what has it")
        }
    }

    /// The port it listens at; nil before it does.
    var port: UInt16? {
        get async {
            switch await server.listeningAddress {
            case .ip4(_, let port), .ip6(_, let port): port
            default: nil
            }
        }
    }

    /// Ends all connections.
    func stop() async {
        await server.stop(timeout: 0)
        task.withLock { $0 }?.cancel()
    }

    private static func reason(of error: any Error) -> String {
        if case SocketError.failed(_, let number, _) = error {
            return String(cString: strerror(number))
        }
        return "\(error)"
    }
}

private struct PageHandler: HTTPHandler {
    let page: @Sendable (String, String) async -> Page

    func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard request.method == .GET || request.method == .HEAD else {
            let allowed: HTTPHeaders = [HTTPHeader("Allow"): "GET, HEAD"]
            return HTTPResponse(statusCode: .methodNotAllowed, headers: allowed)
        }
        let answer = await page(request.path, request.headers[HTTPHeader("Accept")] ?? "")
        let headers: HTTPHeaders = [.contentType: answer.contentType]
        return HTTPResponse(
            statusCode: HTTPStatusCode(answer.status, phrase: Self.phrase(answer.status)),
            headers: headers,
            body: request.method == .HEAD ? Data() : Data(answer.text.utf8))
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 404: "Not Found"
        case 503: "Service Unavailable"
        default: "Answer"
        }
    }
}
