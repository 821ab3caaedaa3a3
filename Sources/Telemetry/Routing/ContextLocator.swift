internal import Foundation
public import Journal
internal import Synchronization

/// Fields that a tracker adds to all events while the context is entered.
public struct NamedContext: Sendable, Equatable {
    /// The name by which it is left.
    public var name: String
    /// The fields.
    public var fields: [JournalField]

    /// A context.
    public init(_ name: String, _ fields: [JournalField]) {
        self.name = name
        self.fields = fields
    }
}

/// Where a tracker keeps the contexts that are entered: one place for all, or one for each thread or task.
public protocol ContextLocator: Sendable {
    /// The contexts that hold where this is called, in the order in which they were entered.
    var entered: [NamedContext] { get }

    /// Enters a context; one of that name that is entered already is replaced and keeps its place.
    func enter(_ context: NamedContext) throws(RoutingError)

    /// Leaves a context; throws where none of that name was entered.
    func exit(_ name: String) throws(RoutingError)

    /// Runs a closure within a context, and leaves it however the closure ends.
    func during<Value>(
        _ context: NamedContext, _ body: () throws -> Value
    ) throws -> Value

    /// Runs a closure within a context, and leaves it however the closure ends.
    func during<Value>(
        _ context: NamedContext, isolation: isolated (any Actor)?, _ body: () async throws -> Value
    ) async throws -> Value
}

extension ContextLocator {
    /// Enters, runs, leaves; where both the closure and leaving fail, the closure's error is thrown.
    public func during<Value>(
        _ context: NamedContext, _ body: () throws -> Value
    ) throws -> Value {
        try enter(context)
        let result = Result { try body() }
        let left = Result { () throws(RoutingError) in try exit(context.name) }
        let value = try result.get()
        try left.get()
        return value
    }

    /// As above.
    public func during<Value>(
        _ context: NamedContext, isolation: isolated (any Actor)?, _ body: () async throws -> Value
    ) async throws -> Value {
        try enter(context)
        let value: Value
        do {
            value = try await body()
        } catch {
            // What the closure threw says more than that someone else left its context.
            _ = Result { () throws(RoutingError) in try exit(context.name) }
            throw error
        }
        try exit(context.name)
        return value
    }
}

/// The contexts of one place, in the order in which they were entered.
struct ContextStack: Sendable {
    /// Most contexts at once: somebody who enters and never leaves is told.
    static let maximumCount = 256

    private(set) var contexts: [NamedContext] = []

    mutating func enter(_ context: NamedContext) throws(RoutingError) {
        if let place = contexts.firstIndex(where: { $0.name == context.name }) {
            contexts[place] = context
        } else if contexts.count < Self.maximumCount {
            contexts.append(context)
        } else {
            throw .tooMany("contexts entered at once", limit: Self.maximumCount)
        }
    }

    mutating func exit(_ name: String) throws(RoutingError) {
        guard let place = contexts.firstIndex(where: { $0.name == name }) else {
            throw .unknownContext(name)
        }
        contexts.remove(at: place)
    }
}

/// One place for all: what one thread enters holds for the events of all others, too.
public final class SharedContextLocator: ContextLocator {
    private let stack = Mutex(ContextStack())

    /// No contexts yet.
    public init() {}

    public var entered: [NamedContext] { stack.withLock { $0.contexts } }

    public func enter(_ context: NamedContext) throws(RoutingError) {
        try stack.withLock { stack throws(RoutingError) in try stack.enter(context) }
    }

    public func exit(_ name: String) throws(RoutingError) {
        try stack.withLock { stack throws(RoutingError) in try stack.exit(name) }
    }
}

/// A place for each thread: threads never see the contexts of each other. For code that runs on threads; a task
/// may go on in another thread after each `await`, so tasks want `TaskContextLocator`.
public final class ThreadContextLocator: ContextLocator {
    private static let nextKey = Atomic<Int>(0)

    /// The key in the dictionaries of the threads; never used for another locator.
    private let key: String

    /// No contexts yet.
    public init() {
        key = "sluice.context.\(Self.nextKey.wrappingAdd(1, ordering: .relaxed).newValue)"
    }

    private var stack: ContextStack {
        get { Thread.current.threadDictionary[key] as? ContextStack ?? ContextStack() }
        set {
            let isEmpty = newValue.contexts.isEmpty
            Thread.current.threadDictionary[key] = isEmpty ? nil : newValue
        }
    }

    public var entered: [NamedContext] { stack.contexts }

    public func enter(_ context: NamedContext) throws(RoutingError) { try stack.enter(context) }

    public func exit(_ name: String) throws(RoutingError) { try stack.exit(name) }
}

/// A place for each task, which its child tasks inherit as it is when they start. Contexts of tasks have a
/// beginning and an end, so only `Tracker.withContext` enters them; entering without end is refused.
public struct TaskContextLocator: ContextLocator {
    @TaskLocal private static var stacks: [Int: ContextStack] = [:]
    private static let nextKey = Atomic<Int>(0)

    private let key: Int

    /// No contexts yet.
    public init() { key = Self.nextKey.wrappingAdd(1, ordering: .relaxed).newValue }

    public var entered: [NamedContext] { Self.stacks[key]?.contexts ?? [] }

    /// Always refused.
    public func enter(_ context: NamedContext) throws(RoutingError) {
        throw .contextNeedsScope(context.name)
    }

    /// Always refused.
    public func exit(_ name: String) throws(RoutingError) { throw .contextNeedsScope(name) }

    private func stacks(with context: NamedContext) throws(RoutingError) -> [Int: ContextStack] {
        var stacks = Self.stacks
        var stack = stacks[key] ?? ContextStack()
        try stack.enter(context)
        stacks[key] = stack
        return stacks
    }

    public func during<Value>(
        _ context: NamedContext, _ body: () throws -> Value
    ) throws -> Value {
        try Self.$stacks.withValue(try stacks(with: context), operation: body)
    }

    public func during<Value>(
        _ context: NamedContext, isolation: isolated (any Actor)?, _ body: () async throws -> Value
    ) async throws -> Value {
        try await Self.$stacks.withValue(
            try stacks(with: context), operation: body, isolation: isolation)
    }
}
