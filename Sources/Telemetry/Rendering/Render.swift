/// Takes results and makes something of them.
public protocol Render: AnyObject, Sendable {
    /// Renders the results of one moment.
    func process(_ rset: ResultSet)

    /// Renders the results of several moments, in order.
    func processMany(_ rsets: some Sequence<ResultSet>)
}

extension Render {
    /// One after the other.
    public func processMany(_ rsets: some Sequence<ResultSet>) {
        for rset in rsets { process(rset) }
    }
}

/// The rules of one format of text lines: pure, so that one value serves any number of renderers at once.
public protocol LineRender: Sendable {
    /// Renders results of one moment as lines. `meta` says what holds for all of them, such as the host;
    /// tags of a result win over it. What the format cannot say is left out and counted in `lines.counts`.
    func render(_ rset: ResultSet, meta: Meta, into lines: inout RenderedLines)

    /// What a file of this format begins with; empty as a rule.
    var header: String { get }
}

extension LineRender {
    /// Nothing.
    public var header: String { "" }

    /// The header and all lines of results of one moment, without limits.
    public func text(of rset: ResultSet, meta: Meta = Meta()) -> String {
        var lines = RenderedLines()
        render(rset, meta: meta, into: &lines)
        return header + String(decoding: lines.bytes, as: UTF8.self)
    }
}

/// What a renderer left out, and what it made.
public struct RenderCounts: Sendable, Equatable {
    /// Lines made.
    public var lines: UInt64 = 0
    /// Values left out because the format has no such value: text, NaN or infinity where a format knows
    /// numbers only, times before 1970.
    public var skippedValues: UInt64 = 0
    /// Values left out because their name is empty or too long for the receiver.
    public var refusedNames: UInt64 = 0
    /// Results of which nothing was left.
    public var emptyResults: UInt64 = 0
    /// Lines longer than a chunk may be, which are refused.
    public var oversizeDropped: UInt64 = 0

    /// Nothing yet.
    public init() {}

    /// The counts of both together.
    public static func + (left: RenderCounts, right: RenderCounts) -> RenderCounts {
        var sum = left
        sum.lines += right.lines
        sum.skippedValues += right.skippedValues
        sum.refusedNames += right.refusedNames
        sum.emptyResults += right.emptyResults
        sum.oversizeDropped += right.oversizeDropped
        return sum
    }
}

/// Lines of UTF-8, each with its one line feed at the end.
public struct RenderedLines: Sendable, Equatable {
    /// The most bytes of a line with its line feed; longer ones are refused and counted. 0: no limit.
    public let maximumLineByteCount: Int
    /// All lines, one after the other.
    public private(set) var bytes: [UInt8] = []
    /// For each line the place after its line feed.
    public private(set) var ends: [Int] = []
    /// What was made and what was left out.
    public var counts = RenderCounts()
    /// The beginning of the first line that was refused for its length, for a message.
    private(set) var firstOversize: String?

    private var lineStart = 0

    /// No lines; `maximumLineByteCount` as in the property.
    public init(maximumLineByteCount: Int = 0) {
        self.maximumLineByteCount = maximumLineByteCount
    }

    /// The bytes of the line that is being made.
    public var lineByteCount: Int { bytes.count - lineStart }

    /// Adds text to the line that is being made. It must not have a line feed where lines are told apart by
    /// them.
    public mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Adds bytes of UTF-8 to it.
    public mutating func append(_ text: some Sequence<UInt8>) { bytes.append(contentsOf: text) }

    /// Adds one byte of ASCII to it.
    public mutating func append(_ byte: UInt8) { bytes.append(byte) }

    /// Ends the line with a line feed. One that is too long is refused and counted: then false.
    @discardableResult
    public mutating func endLine() -> Bool {
        bytes.append(UInt8(ascii: "\n"))
        if maximumLineByteCount > 0, lineByteCount > maximumLineByteCount {
            counts.oversizeDropped += 1
            if firstOversize == nil {
                firstOversize = String(
                    decoding: bytes[lineStart...].prefix(80), as: UTF8.self)
            }
            dropLine()
            return false
        }
        counts.lines += 1
        ends.append(bytes.count)
        lineStart = bytes.count
        return true
    }

    /// Forgets the line that is being made.
    public mutating func dropLine() { bytes.removeSubrange(lineStart...) }

    /// Cuts the line that is being made back to that many bytes.
    mutating func cutLine(to byteCount: Int) { bytes.removeSubrange((lineStart + byteCount)...) }

    /// Counts a line that cannot be made because it would be too long.
    mutating func refuse(_ name: String) {
        counts.oversizeDropped += 1
        if firstOversize == nil { firstOversize = String(name.prefix(80)) }
    }

    /// The bytes of the line that is being made, from a place in it.
    func lineBytes(from place: Int = 0) -> ArraySlice<UInt8> { bytes[(lineStart + place)...] }

    /// Forgets all lines and keeps the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        lineStart = 0
        counts = RenderCounts()
        firstOversize = nil
    }
}
