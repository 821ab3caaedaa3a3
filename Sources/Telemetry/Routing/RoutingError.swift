/// Why a router, a processor or a tracker refuses.
public enum RoutingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A name of that kind of thing is empty.
    case emptyName(String)
    /// The backend would hand events back to the router that it is registered in.
    case cycle(router: String, backend: String)
    /// More of them than there may be.
    case tooMany(String, limit: Int)
    /// Routers within each other; `limit` is how many.
    case tooDeep(limit: Int)
    /// A regular expression that cannot be used.
    case invalidExpression(String, reason: String)
    /// An option of a processor or queue has a value that makes no sense.
    case invalidOption(String, problem: String, advice: String)
    /// Something is wrong in a configuration; `place` is the path to it, such as `route.processors[0]`.
    case configuration(place: String, problem: String, advice: String)
    /// A filter looks at the name of an event that has none.
    case nameless
    /// A field was to be set in a value that is no object.
    case notAnObject(key: String)
    /// No context of that name was entered.
    case unknownContext(String)
    /// Contexts of a task are entered for the length of a closure only.
    case contextNeedsScope(String)
    /// No tracker was registered under that name.
    case unknownTracker(String)
    /// An event or record has no serial number where it needs one.
    case unnumbered
    /// A time that no calendar has, in seconds since the Unix epoch.
    case invalidTime(Double)
    /// The system gave no thread.
    case noThread(name: String, errno: Int32)

    /// One sentence with what to do.
    public var description: String {
        switch self {
        case .emptyName(let what): "The name of a \(what) is empty: give it one."
        case .cycle(let router, let backend):
            "Backend \(backend) hands its events back to router \(router), in which it is to be "
                + "registered: events would go round for ever, so register something else."
        case .tooMany(let what, let limit): "There may be \(limit) \(what) at most: use fewer."
        case .tooDeep(let limit):
            "Routers are nested deeper than \(limit), or one hands events back to itself: "
                + "make the tree flatter."
        case .invalidExpression(let expression, let reason):
            "Regular expression \"\(expression)\" cannot be used (\(reason)): correct it."
        case .invalidOption(let option, let problem, let advice):
            "\(option) \(problem): \(advice)."
        case .configuration(let place, let problem, let advice): "\(place) \(problem); \(advice)"
        case .nameless:
            "The event has no name that a filter could look at: name it, or let the filter pass "
                + "what it cannot judge (onError: pass)."
        case .notAnObject(let key):
            "Field \(key) cannot be set in a value that is no object: make it an object first."
        case .unknownContext(let name): "Context \(name) was not entered: enter it first."
        case .contextNeedsScope(let name):
            "Context \(name) belongs to a task and needs an end: use withContext."
        case .unknownTracker(let name):
            "No tracker is registered under the name \(name): register it first."
        case .unnumbered:
            "The event has no seq, which records are to be numbered by: number the records anew."
        case .invalidTime(let seconds):
            "\(seconds) s since 1970 is no time between the years 1 and 9999: correct the event."
        case .noThread(let name, let errno):
            "No thread could be started for \(name) (errno \(errno)): use fewer isolated backends."
        }
    }
}
