internal import CLinux
internal import Glibc
internal import Pipes
internal import Synchronization

/// The thread of a control server: it alone knows listener and connections.
struct ControlServerLoop: ~Copyable {
    private static let listenerToken: UInt64 = 0
    private static let mailboxToken: UInt64 = 1

    private let listener: OwnedDescriptor
    private let journalPath: String
    private let handler: any ControlHandler
    private let mailbox: ControlMailbox
    private var poller: Poller
    private var connections: [UInt64: ControlConnection] = [:]
    private var nextToken: UInt64 = 2

    private init(
        listener: consuming OwnedDescriptor, journalPath: String, handler: any ControlHandler,
        mailbox: ControlMailbox, poller: consuming Poller
    ) {
        self.listener = listener
        self.journalPath = journalPath
        self.handler = handler
        self.mailbox = mailbox
        self.poller = poller
    }

    /// Serves until the mailbox says that it is over, then removes the socket.
    static func serve(
        listener: consuming OwnedDescriptor, directory: RunDirectory, handler: any ControlHandler,
        mailbox: ControlMailbox
    ) {
        do {
            let poller = try Poller()
            try poller.add(
                listener.rawValue, token: Self.listenerToken, interest: .readable)
            try poller.add(mailbox.flag.rawValue, token: Self.mailboxToken, interest: .readable)
            var loop = ControlServerLoop(
                listener: listener, journalPath: directory.path(of: .journal), handler: handler,
                mailbox: mailbox, poller: poller)
            try loop.run()
        } catch {
            // Without a poller nobody can ask; the run itself goes on, and clients see that
            // the socket is gone.
        }
        ControlSocket.remove(in: directory.descriptor)
        mailbox.markClosed()
    }

    private mutating func run() throws(PipeError) {
        var deadline: ContinuousClock.Instant?
        var hasMore = false
        while true {
            let count = try poller.wait(
                timeoutMilliseconds: hasMore
                    ? 0 : Poller.timeoutMilliseconds(until: deadline))
            for index in 0..<count {
                let event = poller[index]
                switch event.token {
                case Self.listenerToken: if deadline == nil { try acceptAll() }
                case Self.mailboxToken: mailbox.flag.drain()
                default: serve(event)
                }
            }
            let (letters, isClosing) = mailbox.take()
            for letter in letters { deliver(letter) }
            if isClosing, deadline == nil {
                deadline = .now.advanced(by: ControlLimits.closingTime)
            }
            hasMore = sendEvents(isClosing: deadline != nil)
            if let deadline, isQuiet || ContinuousClock.now >= deadline { return }
        }
    }

    private var isQuiet: Bool { connections.values.allSatisfy { !$0.isBusy && !$0.hasOutput } }

    // MARK: - Connections

    private mutating func acceptAll() throws(PipeError) {
        while let descriptor = ControlSocket.accept(listener) {
            guard connections.count < ControlLimits.maximumClientCount else {
                let connection = ControlConnection(descriptor)
                connection.refuse(
                    ControlFailure(
                        code: "limit",
                        message:
                            "\(ControlLimits.maximumClientCount) clients ask this run already; "
                            + "try again when one has left"))
                continue
            }
            let token = nextToken
            nextToken += 1
            try poller.add(descriptor.rawValue, token: token, interest: .readable)
            connections[token] = ControlConnection(descriptor)
        }
    }

    private mutating func serve(_ event: PollEvent) {
        guard let connection = connections[event.token] else { return }
        // A client that is gone can't be waited for: its hang-up would wake this thread for ever.
        if event.isHungUp, connection.isBusy || connection.hasOutput { return drop(event.token) }
        if event.isWritable, connection.hasOutput { connection.flush() }
        if event.isReadable, !connection.isBusy, !connection.hasOutput { connection.receive() }
        goOn(event.token, connection)
    }

    private mutating func deliver(_ letter: ControlMailbox.Letter) {
        guard let connection = connections[letter.client] else { return }
        connection.answer(letter.line)
        goOn(letter.client, connection)
    }

    /// Begins the next request of a connection that has one, and sets what is waited for.
    private mutating func goOn(_ token: UInt64, _ connection: ControlConnection) {
        while !connection.isBusy, !connection.hasOutput, let line = connection.nextLine() {
            switch line {
            case .tooLong:
                connection.refuse(
                    ControlFailure(
                        code: "limit",
                        message:
                            "a line has more than \(ControlLimits.maximumLineByteCount) bytes"))
            case .line(let bytes): begin(bytes, of: token, connection)
            }
        }
        if connection.isOver { return drop(token) }
        let interest: PollInterest =
            connection.hasOutput ? .writable : connection.isBusy ? [] : .readable
        do {
            try poller.modify(connection.descriptor.rawValue, token: token, interest: interest)
        } catch {
            drop(token)
        }
    }

    private mutating func begin(_ line: [UInt8], of token: UInt64, _ connection: ControlConnection)
    {
        let request: ControlRequest
        do {
            request = try ControlLine.value(ControlRequest.self, of: line)
        } catch {
            let failure = ControlAnswer.failure(ControlLine.failure(error))
            return connection.answer(
                Self.line(ControlResponse(id: ControlLine.id(of: line), answer: failure)))
        }
        connection.isBusy = true
        if case .events(let events) = request.command {
            connection.events = ControlEventStream(journalPath, events, id: request.id)
            _ = mailbox.streamCount.add(1, ordering: .sequentiallyConsistent)
            return
        }
        let (handler, mailbox) = (handler, mailbox)
        Task {
            let answer: ControlAnswer
            do {
                answer = try await handler.handle(request.command)
            } catch {
                answer = .failure(Self.failure(error))
            }
            let response = ControlResponse(id: request.id, answer: answer)
            mailbox.post(.init(client: token, line: Self.line(response)))
        }
    }

    private mutating func drop(_ token: UInt64) {
        guard let connection = connections.removeValue(forKey: token) else { return }
        if connection.events != nil { forgetEvents(of: connection) }
        // Closing takes it out of the poller, if this fails.
        try? poller.remove(connection.descriptor.rawValue)
    }

    // MARK: - Events

    /// Sends every stream one portion; true where there is more to send at once. Each gets its turn, and one
    /// whose client does not read waits for that.
    private mutating func sendEvents(isClosing: Bool) -> Bool {
        guard mailbox.streamCount.load(ordering: .relaxed) > 0 else { return false }
        var hasMore = false
        for (token, connection) in connections {
            guard let events = connection.events else { continue }
            let lastSeq = mailbox.lastSeq.load(ordering: .sequentiallyConsistent)
            let portion = events.portion(
                lastSeq: lastSeq, mayRead: !connection.hasOutput, isClosing: isClosing)
            switch portion {
            case .nothing: continue
            case .line(let line):
                connection.send(line)
                hasMore = hasMore || !connection.hasOutput
            case .answer(let answer):
                forgetEvents(of: connection)
                connection.answer(Self.line(ControlResponse(id: events.id, answer: answer)))
            }
            goOn(token, connection)
        }
        return hasMore
    }

    private func forgetEvents(of connection: ControlConnection) {
        connection.events = nil
        _ = mailbox.streamCount.subtract(1, ordering: .sequentiallyConsistent)
    }

    private static func failure(_ error: any Error) -> ControlFailure {
        if let error = error as? ControllerError { return ControlFailure(error) }
        return ControlFailure(code: ControllerError.Code.state.rawValue, message: "\(error)")
    }

    static func line(_ response: ControlResponse) -> [UInt8] {
        do {
            let line = try ControlLine.bytes(of: response)
            if line.count <= ControlLimits.maximumLineByteCount { return line }
            let failure = ControlFailure(
                code: "limit",
                message: "the answer has \(line.count) bytes, more than the allowed "
                    + "\(ControlLimits.maximumLineByteCount): read stats.jsonl instead")
            return try ControlLine.bytes(
                of: ControlResponse(id: response.id, answer: .failure(failure)))
        } catch {
            return Array("{\"error\":{\"code\":\"state\",\"message\":\"no JSON\"}}\n".utf8)
        }
    }
}
