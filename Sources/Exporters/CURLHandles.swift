internal import CCURL
internal import Glibc

/// How a transfer ended.
enum TransferEnd {
    case ended(CURLcode)
    case interrupted
}

/// The handles of libcurl that a client owns, with the connections that they keep.
final class CURLHandles {
    let easy: UnsafeMutableRawPointer
    private let multi: UnsafeMutableRawPointer
    /// Where libcurl says more of an error than its code does.
    let errorText: UnsafeMutablePointer<CChar>

    /// Whether libcurl could be initialised, which is done once in a process.
    static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// nil when there is no memory.
    init?() {
        guard let easy = curl_easy_init() else { return nil }
        guard let multi = curl_multi_init() else {
            curl_easy_cleanup(easy)
            return nil
        }
        self.easy = easy
        self.multi = multi
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_multi_cleanup(multi)
        errorText.deallocate()
    }

    /// What libcurl said of the last error, empty where nothing.
    var errorDescription: String { String(cString: errorText) }

    /// Carries out what the easy handle is set up for.
    func transfer(
        until deadline: ContinuousClock.Instant, interruption: Interruption
    ) -> TransferEnd {
        errorText.pointee = 0
        guard curl_multi_add_handle(multi, easy) == CURLM_OK else {
            return .ended(CURLE_FAILED_INIT)
        }
        defer { curl_multi_remove_handle(multi, easy) }
        var running: Int32 = 1
        while true {
            if interruption.isRequested { return .interrupted }
            guard curl_multi_perform(multi, &running) == CURLM_OK else {
                return .ended(CURLE_OUT_OF_MEMORY)
            }
            if running == 0 { break }
            // libcurl ends a transfer at its own time limit, which is the same; 100 ms later we do.
            let left = (deadline + .milliseconds(100)).millisecondsFromNow
            guard left > 0 else { return .ended(CURLE_OPERATION_TIMEDOUT) }
            var wake = curl_waitfd(
                fd: interruption.descriptor, events: Int16(CURL_WAIT_POLLIN), revents: 0)
            curl_multi_poll(multi, &wake, 1, Int32(clamping: left), nil)
        }
        var waiting: Int32 = 0
        while let message = curl_multi_info_read(multi, &waiting) {
            if message.pointee.msg == CURLMSG_DONE { return .ended(message.pointee.data.result) }
        }
        return .ended(CURLE_FAILED_INIT)
    }
}

/// Sets options of a handle and keeps the first refusal.
struct CURLOptions {
    private let easy: UnsafeMutableRawPointer
    private(set) var failure = CURLE_OK

    init(_ easy: UnsafeMutableRawPointer) { self.easy = easy }

    private mutating func note(_ code: CURLcode) { if failure == CURLE_OK { failure = code } }

    mutating func set(_ option: CURLoption, _ value: Int) {
        note(ccurl_set_long(easy, option, value))
    }

    /// Text, which libcurl copies.
    mutating func set(_ option: CURLoption, _ text: String) {
        note(text.withCString { ccurl_set_pointer(easy, option, $0) })
    }

    /// What has to stay where it is until the transfer has ended.
    mutating func set(_ option: CURLoption, _ pointer: UnsafeRawPointer?) {
        note(ccurl_set_pointer(easy, option, pointer))
    }

    mutating func set(_ option: CURLoption, offset: Int) {
        note(ccurl_set_offset(easy, option, offset))
    }

    /// Hands the answer to a receiver, which has to live until the transfer has ended.
    mutating func receive(with receiver: AnswerReceiver) {
        let context = Unmanaged.passUnretained(receiver).toOpaque()
        note(
            ccurl_set_write(
                easy, { AnswerReceiver.of($3)?.takeBody(AnswerReceiver.bytes($0, $1 * $2)) ?? 0 },
                context))
        note(
            ccurl_set_header(
                easy, { AnswerReceiver.of($3)?.takeHeader(AnswerReceiver.bytes($0, $1 * $2)) ?? 0 },
                context))
    }
}

/// Takes an answer up to limits.
final class AnswerReceiver {
    /// The most bytes of all headers of an answer; more end the transfer.
    static let maximumHeaderByteCount = 64 << 10

    private let limit: Int
    private(set) var body: [UInt8] = []
    private(set) var isCut = false
    private var headerByteCount = 0

    init(limit: Int) { self.limit = limit }

    var hasTooManyHeaders: Bool { headerByteCount > Self.maximumHeaderByteCount }

    /// The receiver that libcurl hands back, and what it hands over.
    fileprivate static func of(_ context: UnsafeMutableRawPointer?) -> AnswerReceiver? {
        context.map { Unmanaged<AnswerReceiver>.fromOpaque($0).takeUnretainedValue() }
    }

    fileprivate static func bytes(
        _ start: UnsafeMutablePointer<CChar>?, _ count: Int
    ) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count)
    }

    /// Returns how many bytes were taken; libcurl ends the transfer when that is not all.
    fileprivate func takeBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        let room = limit - body.count
        body.append(contentsOf: bytes.prefix(room))
        isCut = bytes.count > room
        return isCut ? 0 : bytes.count
    }

    fileprivate func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
        // Another answer begins after a redirect or a 100.
        if bytes.starts(with: "HTTP/".utf8) { body.removeAll() }
        headerByteCount += bytes.count
        return hasTooManyHeaders ? 0 : bytes.count
    }
}

/// Header lines as libcurl wants them.
final class HeaderList {
    private(set) var list: UnsafeMutablePointer<curl_slist>?

    init(_ lines: [String]) {
        for line in lines {
            // Without memory the list is nil and the one before stays.
            if let longer = curl_slist_append(list, line) { list = longer }
        }
    }

    deinit { curl_slist_free_all(list) }
}

/// Keeps SIGPIPE from the process while this thread writes to a connection: OpenSSL writes without the
/// flag that libcurl uses itself, and the signal would end a program that has not said otherwise.
func withoutBrokenPipeSignal<Result>(_ body: () -> Result) -> Result {
    var brokenPipe = sigset_t()
    sigemptyset(&brokenPipe)
    sigaddset(&brokenPipe, SIGPIPE)
    var pending = sigset_t()
    sigpending(&pending)
    let wasPending = sigismember(&pending, SIGPIPE) == 1
    var before = sigset_t()
    pthread_sigmask(SIG_BLOCK, &brokenPipe, &before)
    defer {
        var atOnce = timespec()
        // One that came meanwhile is ours, and is taken away.
        if !wasPending {
            while sigtimedwait(&brokenPipe, nil, &atOnce) == -1, errno == EINTR {}
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }
    return body()
}
