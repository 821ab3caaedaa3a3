/// Writes Python pickles of protocol 4, with the opcodes that an object of PvaPy needs.
struct Pickler {
    /// The pickle so far.
    private(set) var bytes: [UInt8] = []
    private var memoCount = 0
    private var scalarTypeMemo: UInt8?
    private var scalarMemos: [UInt8: UInt8] = [:]

    /// A pickle with room for `byteCount` bytes, so that pixels are copied once.
    init(reserving byteCount: Int) {
        bytes.reserveCapacity(byteCount)
        bytes += [PickleOpcode.proto.rawValue, 4]
    }

    /// Ends the pickle.
    mutating func finish() { put(.stop) }

    mutating func put(_ opcode: PickleOpcode) { bytes.append(opcode.rawValue) }

    mutating func write(_ text: String) {
        let count = text.utf8.count
        if count < 256 {
            put(.shortText)
            bytes.append(UInt8(count))
        } else {
            put(.text)
            append(UInt32(clamping: count))
        }
        bytes.append(contentsOf: text.utf8)
    }

    mutating func write(_ value: Bool) { put(value ? .newTrue : .newFalse) }

    mutating func write(_ value: Double) {
        put(.binaryFloat)
        append(value.bitPattern.byteSwapped)
    }

    mutating func write(_ value: Int64) {
        if let small = UInt8(exactly: value) {
            put(.uint8)
            bytes.append(small)
        } else if let medium = Int32(exactly: value) {
            put(.int32)
            append(medium)
        } else {
            put(.long)
            bytes.append(8)
            append(value)
        }
    }

    mutating func write(_ value: UInt64) {
        if let signed = Int64(exactly: value) { return write(signed) }
        put(.long)
        // A ninth byte, for the sign.
        bytes.append(9)
        append(value)
        bytes.append(0)
    }

    mutating func write(_ data: UnsafeRawBufferPointer) {
        if data.count <= Int(UInt32.max) {
            put(.longBytes)
            append(UInt32(data.count))
        } else {
            put(.hugeBytes)
            append(UInt64(data.count))
        }
        bytes.append(contentsOf: data)
    }

    /// A class or function by its name.
    mutating func writeGlobal(_ module: String, _ name: String) {
        write(module)
        write(name)
        put(.stackGlobal)
    }

    /// One of pvData's scalar types.
    mutating func writeScalarType(_ code: UInt8) {
        if let memo = scalarMemos[code] {
            put(.get)
            return bytes.append(memo)
        }
        if let memo = scalarTypeMemo {
            put(.get)
            bytes.append(memo)
        } else {
            writeGlobal("pvaccess.pvaccess", "ScalarType")
            scalarTypeMemo = memoize()
        }
        write(Int64(code))
        put(.tuple1)
        put(.newObject)
        // At most 13 places are taken, so that one byte holds each.
        scalarMemos[code] = memoize()
    }

    /// A dictionary with what `body` writes: names and values in turn.
    mutating func dictionary(_ body: (inout Pickler) throws -> Void) rethrows {
        put(.emptyDictionary)
        put(.mark)
        try body(&self)
        put(.setItems)
    }

    /// A list of what `body` writes.
    mutating func list(_ body: (inout Pickler) throws -> Void) rethrows {
        put(.emptyList)
        put(.mark)
        try body(&self)
        put(.appends)
    }

    private mutating func memoize() -> UInt8 {
        put(.memoize)
        defer { memoCount += 1 }
        return UInt8(memoCount)
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
