internal import NDArrays

/// Reads the pickle of an object of PvaPy, and nothing else: no code is run and no class is looked up.
///
/// Opcodes, classes and values that such an object does not have are refused by name. Any bytes give a
/// tree of values or one error; memory is bound by the number of bytes, and by `maximumValueCount`.
struct Unpickler {
    /// Values, twice the fields and attributes of the largest frame (4096 attributes of some 40 values).
    static let maximumValueCount = 1 << 19

    /// A numpy array: `pixels` are bytes of the pickle.
    struct Array {
        var dataType: Int?
        var shape: [Int] = []
        var pixels: Range<Int>?
    }

    /// A numpy type.
    struct DataType {
        var elementType: ElementType
        var isBigEndian: Bool
    }

    let bytes: UnsafeRawBufferPointer
    private(set) var nodes: [[PickleValue]] = []
    private(set) var arrays: [Array] = []
    private(set) var dataTypes: [DataType] = []
    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [PickleValue] = []
    private var position = 0
    private var valueCount = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// The object; the unpickler then holds what it is made of.
    mutating func run() throws(EncryptionError) -> PickleValue {
        while true {
            let start = position
            let code = try readByte()
            guard let opcode = PickleOpcode(rawValue: code) else {
                throw .refusedPickle(
                    what: "the opcode \(PickleOpcode.name(code))", byteOffset: start)
            }
            valueCount += 1
            guard valueCount <= Self.maximumValueCount else {
                throw .tooLarge(what: "the pickle's number of values", limit: valueCount)
            }
            if opcode == .stop {
                guard position == bytes.count else { throw bad("bytes follow its end") }
                guard stack.count == 1, let value = stack.last else {
                    throw bad("it ends with \(stack.count) values")
                }
                return value
            }
            try run(opcode, at: start)
        }
    }

    private mutating func run(_ opcode: PickleOpcode, at start: Int) throws(EncryptionError) {
        switch opcode {
        case .proto:
            let version = try readByte()
            guard start == 0, (4...5).contains(version) else {
                throw .refusedPickle(what: "protocol \(version)", byteOffset: start)
            }
        case .frame: try checkFrame()
        case .mark: marks.append(stack.count)
        case .memoize: memo.append(try top())
        case .get: try recall(Int(try readByte()))
        case .longGet: try recall(Int(try readInteger(UInt32.self)))
        case .none, .newTrue, .newFalse, .uint8, .uint16, .int32, .long, .binaryFloat:
            stack.append(try scalar(opcode))
        case .shortText, .text, .hugeText, .shortBytes, .longBytes, .hugeBytes, .byteArray:
            stack.append(try counted(opcode))
        case .emptyList, .emptyDictionary, .emptyTuple, .append, .appends, .setItem, .setItems,
            .tuple, .tuple1, .tuple2, .tuple3:
            try collect(opcode)
        case .stackGlobal: try pushGlobal(at: start)
        case .newObject, .reduce, .build: try construct(opcode, at: start)
        case .stop: break
        }
    }

    // MARK: Scalars

    private mutating func scalar(_ opcode: PickleOpcode) throws(EncryptionError) -> PickleValue {
        switch opcode {
        case .newTrue: return .boolean(true)
        case .newFalse: return .boolean(false)
        case .uint8: return .integer(Int64(try readByte()))
        case .uint16: return .integer(Int64(try readInteger(UInt16.self)))
        case .int32: return .integer(Int64(try readInteger(Int32.self)))
        case .long: return try long()
        case .binaryFloat:
            // The one number in a pickle whose highest byte comes first.
            return .real(Double(bitPattern: try readInteger(UInt64.self).byteSwapped))
        default: return .none
        }
    }

    /// A whole number in up to 9 bytes, two's complement: what a 64-bit number, signed or not, needs.
    private mutating func long() throws(EncryptionError) -> PickleValue {
        let count = Int(try readByte())
        guard count <= 9 else { throw bad("a whole number of \(count) bytes") }
        let range = try take(count)
        guard let last = range.last else { return .integer(0) }
        var magnitude: Int128 = bytes[last] & 0x80 != 0 ? -1 : 0
        for index in range.reversed() { magnitude = magnitude << 8 | Int128(bytes[index]) }
        if let value = Int64(exactly: magnitude) { return .integer(value) }
        guard let value = UInt64(exactly: magnitude) else {
            throw bad("a whole number beyond 64 bits")
        }
        return .unsigned(value)
    }

    private mutating func counted(_ opcode: PickleOpcode) throws(EncryptionError) -> PickleValue {
        let count: UInt64
        switch opcode {
        case .shortText, .shortBytes: count = UInt64(try readByte())
        case .text, .longBytes: count = UInt64(try readInteger(UInt32.self))
        default: count = try readInteger(UInt64.self)
        }
        let range = try take(Int(clamping: count))
        switch opcode {
        case .shortText, .text, .hugeText: return .text(range)
        default: return .bytes(range)
        }
    }

    private mutating func checkFrame() throws(EncryptionError) {
        // How a pickle was cut into frames is of no meaning to a reader that has all of it.
        let byteCount = try readInteger(UInt64.self)
        guard byteCount <= UInt64(bytes.count - position) else { throw bad("a frame is cut") }
    }

    // MARK: Collections

    private mutating func collect(_ opcode: PickleOpcode) throws(EncryptionError) {
        switch opcode {
        case .emptyList: stack.append(.list(newNode([])))
        case .emptyDictionary: stack.append(.dictionary(newNode([])))
        case .emptyTuple: stack.append(.tuple(newNode([])))
        case .tuple: stack.append(.tuple(newNode(try popToMark())))
        case .tuple1: stack.append(.tuple(newNode(try pop(1))))
        case .tuple2: stack.append(.tuple(newNode(try pop(2))))
        case .tuple3: stack.append(.tuple(newNode(try pop(3))))
        case .append: try add(try pop(1), toList: true)
        case .appends: try add(try popToMark(), toList: true)
        case .setItem: try add(try pop(2), toList: false)
        default: try add(try popToMark(), toList: false)
        }
    }

    private mutating func add(_ values: [PickleValue], toList: Bool) throws(EncryptionError) {
        switch (try top(), toList) {
        case (.list(let node), true): nodes[node] += values
        case (.dictionary(let node), false):
            guard values.count % 2 == 0 else { throw bad("a key without a value") }
            nodes[node] += values
        default: throw bad("something is added to what holds nothing")
        }
    }

    private mutating func newNode(_ values: [PickleValue]) -> Int {
        nodes.append(values)
        return nodes.count - 1
    }

    // MARK: Objects

    private mutating func pushGlobal(at start: Int) throws(EncryptionError) {
        let names = try pop(2)
        guard let module = text(names[0]), let name = text(names[1]) else {
            throw bad("a class without a name")
        }
        guard let global = PickleGlobal(module: module, name: name) else {
            throw .refusedPickle(
                what: "the class \(Self.cut(module)).\(Self.cut(name))", byteOffset: start)
        }
        stack.append(.global(global))
    }

    private mutating func construct(
        _ opcode: PickleOpcode, at start: Int
    ) throws(EncryptionError) {
        let operands = try pop(2)
        switch (opcode, operands[0], operands[1]) {
        case (.newObject, .global(.scalarType), .tuple(let node)):
            guard nodes[node].count == 1, case .integer(let code) = nodes[node][0],
                (0...11).contains(code)
            else { throw bad("a scalar type without its code") }
            stack.append(.scalarType(UInt8(code)))
        case (.reduce, .global(.object), .tuple(let node)):
            stack.append(.object(arguments: node, isArray: false))
        case (.reduce, .global(.ntNdArray), .tuple(let node)):
            stack.append(.object(arguments: node, isArray: true))
        case (.reduce, .global(.dataType), .tuple(let node)):
            stack.append(.dataType(try newDataType(nodes[node])))
        case (.reduce, .global(.reconstruct), .tuple(let node)):
            guard nodes[node].first == .global(.array) else {
                throw bad("an array of another kind")
            }
            arrays.append(Array())
            stack.append(.array(arrays.count - 1))
        case (.reduce, .global(.fromBuffer), .tuple(let node)),
            (.reduce, .global(.fromBufferOfProtocol5), .tuple(let node)):
            arrays.append(try newArray(nodes[node]))
            stack.append(.array(arrays.count - 1))
        case (.build, .dataType(let place), .tuple(let node)):
            try setOrder(of: place, nodes[node])
            stack.append(.dataType(place))
        case (.build, .array(let place), .tuple(let node)):
            arrays[place] = try stated(nodes[node])
            stack.append(.array(place))
        default:
            throw .refusedPickle(
                what:
                    "\(PickleOpcode.name(opcode.rawValue)) of something that is no class of PvaPy",
                byteOffset: start)
        }
    }

    /// `dtype('u2', False, True)`
    private mutating func newDataType(_ parts: [PickleValue]) throws(EncryptionError) -> Int {
        guard let first = parts.first, let name = text(first) else {
            throw bad("a type without a name")
        }
        let plain = name.first.map { "<>|=".contains($0) } == true ? String(name.dropFirst()) : name
        let type: ElementType
        switch plain {
        case "b1", "?": type = .boolean
        case "i1": type = .int8
        case "u1": type = .uint8
        case "i2": type = .int16
        case "u2": type = .uint16
        case "i4": type = .int32
        case "u4": type = .uint32
        case "i8": type = .int64
        case "u8": type = .uint64
        case "f4": type = .float32
        case "f8": type = .float64
        default:
            throw .refusedPickle(
                what: "the numpy type \(Self.cut(name))", byteOffset: position)
        }
        dataTypes.append(DataType(elementType: type, isBigEndian: name.hasPrefix(">")))
        return dataTypes.count - 1
    }

    /// `(3, '<', None, …)`: version and byte order.
    private mutating func setOrder(
        of place: Int, _ state: [PickleValue]
    ) throws(EncryptionError) {
        guard state.count >= 2, let order = text(state[1]) else {
            throw bad("a type without an order")
        }
        dataTypes[place].isBigEndian = order == ">"
    }

    /// `(1, (6,), dtype, False, b'…')`: version, shape, type, column order, bytes.
    private func stated(_ state: [PickleValue]) throws(EncryptionError) -> Array {
        guard state.count == 5, case .tuple(let shape) = state[1],
            case .dataType(let type) = state[2], state[3] == .boolean(false),
            case .bytes(let pixels) = state[4]
        else { throw bad("an array that is not of numbers in rows") }
        var sizes: [Int] = []
        for size in nodes[shape] {
            guard case .integer(let size) = size, let size = Int(exactly: size), size >= 0 else {
                throw bad("an array without a shape")
            }
            sizes.append(size)
        }
        return Array(dataType: type, shape: sizes, pixels: pixels)
    }

    /// `frombuffer(b'…', dtype)`, or protocol 5's `_frombuffer(b'…', dtype, (6,), 'C')`.
    private func newArray(_ parts: [PickleValue]) throws(EncryptionError) -> Array {
        guard parts.count == 2 || parts.count == 4, case .bytes(let pixels) = parts[0],
            case .dataType(let type) = parts[1]
        else { throw bad("an array without bytes or type") }
        if parts.count == 4, let order = text(parts[3]), order != "C" {
            throw bad("an array in columns")
        }
        let byteCount = dataTypes[type].elementType.byteCount
        return Array(dataType: type, shape: [pixels.count / byteCount], pixels: pixels)
    }

    // MARK: The stack

    private func top() throws(EncryptionError) -> PickleValue {
        guard let value = stack.last, stack.count > (marks.last ?? 0) else {
            throw bad("a value is missing")
        }
        return value
    }

    private mutating func pop(_ count: Int) throws(EncryptionError) -> [PickleValue] {
        guard stack.count - count >= (marks.last ?? 0) else { throw bad("a value is missing") }
        let values = [PickleValue](stack.suffix(count))
        stack.removeLast(count)
        return values
    }

    private mutating func popToMark() throws(EncryptionError) -> [PickleValue] {
        guard let mark = marks.popLast() else { throw bad("a mark is missing") }
        let values = [PickleValue](stack[mark...])
        stack.removeSubrange(mark...)
        return values
    }

    private mutating func recall(_ index: Int) throws(EncryptionError) {
        guard memo.indices.contains(index) else { throw bad("memo \(index) is empty") }
        stack.append(memo[index])
    }

    // MARK: Bytes

    /// The text of a text value; nil for others and for what is not UTF-8.
    func text(_ value: PickleValue) -> String? {
        guard case .text(let range) = value else { return nil }
        return String(validating: bytes[range], as: UTF8.self)
    }

    /// A name of a pickle for people: a hostile one could be as long as a log.
    private static func cut(_ name: String) -> String {
        name.count <= 64 ? name : name.prefix(64) + "…"
    }

    func bad(_ reason: String) -> EncryptionError {
        .badPickle(reason: reason, byteOffset: position)
    }

    private mutating func take(_ count: Int) throws(EncryptionError) -> Range<Int> {
        guard count <= bytes.count - position else { throw bad("it ends too early") }
        defer { position += count }
        return position..<position + count
    }

    private mutating func readByte() throws(EncryptionError) -> UInt8 {
        bytes[try take(1).lowerBound]
    }

    private mutating func readInteger<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type
    ) throws(EncryptionError) -> Value {
        let range = try take(MemoryLayout<Value>.size)
        return Value(
            littleEndian: bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: type))
    }
}
