/// The opcodes of Python's pickles that an object of PvaPy has; the raw values are Python's (pickletools).
enum PickleOpcode: UInt8 {
    case mark = 0x28
    case emptyTuple = 0x29
    case stop = 0x2E
    case longBytes = 0x42
    case shortBytes = 0x43
    case binaryFloat = 0x47
    case int32 = 0x4A
    case uint8 = 0x4B
    case uint16 = 0x4D
    case none = 0x4E
    case reduce = 0x52
    case text = 0x58
    case emptyList = 0x5D
    case append = 0x61
    case build = 0x62
    case appends = 0x65
    case get = 0x68
    case longGet = 0x6A
    case setItem = 0x73
    case tuple = 0x74
    case setItems = 0x75
    case emptyDictionary = 0x7D
    case proto = 0x80
    case newObject = 0x81
    case tuple1 = 0x85
    case tuple2 = 0x86
    case tuple3 = 0x87
    case newTrue = 0x88
    case newFalse = 0x89
    case long = 0x8A
    case shortText = 0x8C
    case hugeText = 0x8D
    case hugeBytes = 0x8E
    case stackGlobal = 0x93
    case memoize = 0x94
    case frame = 0x95
    case byteArray = 0x96

    /// Python's name of any opcode, also of those that are refused.
    static func name(_ code: UInt8) -> String {
        names[code] ?? "no opcode at all (\(code))"
    }

    private static let names: [UInt8: String] = [
        0x28: "MARK", 0x29: "EMPTY_TUPLE", 0x2E: "STOP", 0x30: "POP", 0x31: "POP_MARK",
        0x32: "DUP", 0x42: "BINBYTES", 0x43: "SHORT_BINBYTES", 0x46: "FLOAT", 0x47: "BINFLOAT",
        0x49: "INT", 0x4A: "BININT", 0x4B: "BININT1", 0x4C: "LONG", 0x4D: "BININT2", 0x4E: "NONE",
        0x50: "PERSID", 0x51: "BINPERSID", 0x52: "REDUCE", 0x53: "STRING", 0x54: "BINSTRING",
        0x55: "SHORT_BINSTRING", 0x56: "UNICODE", 0x58: "BINUNICODE", 0x5D: "EMPTY_LIST",
        0x61: "APPEND", 0x62: "BUILD", 0x63: "GLOBAL", 0x64: "DICT", 0x65: "APPENDS", 0x67: "GET",
        0x68: "BINGET", 0x69: "INST", 0x6A: "LONG_BINGET", 0x6C: "LIST", 0x6F: "OBJ", 0x70: "PUT",
        0x71: "BINPUT", 0x72: "LONG_BINPUT", 0x73: "SETITEM", 0x74: "TUPLE", 0x75: "SETITEMS",
        0x7D: "EMPTY_DICT", 0x80: "PROTO", 0x81: "NEWOBJ", 0x82: "EXT1", 0x83: "EXT2",
        0x84: "EXT4", 0x85: "TUPLE1", 0x86: "TUPLE2", 0x87: "TUPLE3", 0x88: "NEWTRUE",
        0x89: "NEWFALSE", 0x8A: "LONG1", 0x8B: "LONG4", 0x8C: "SHORT_BINUNICODE",
        0x8D: "BINUNICODE8", 0x8E: "BINBYTES8", 0x8F: "EMPTY_SET", 0x90: "ADDITEMS",
        0x91: "FROZENSET", 0x92: "NEWOBJ_EX", 0x93: "STACK_GLOBAL", 0x94: "MEMOIZE",
        0x95: "FRAME", 0x96: "BYTEARRAY8", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
    ]
}

/// The classes and functions that an object of PvaPy names. Nothing of them is run: each stands for a
/// value of ours.
enum PickleGlobal: Equatable {
    case object
    case ntNdArray
    case scalarType
    case reconstruct
    case fromBuffer
    case fromBufferOfProtocol5
    case array
    case dataType

    init?(module: String, name: String) {
        switch (module, name) {
        case ("pvaccess.pvaccess", "PvObject"): self = .object
        case ("pvaccess.pvaccess", "NtNdArray"): self = .ntNdArray
        case ("pvaccess.pvaccess", "ScalarType"): self = .scalarType
        case ("numpy._core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "_reconstruct"):
            self = .reconstruct
        case ("numpy._core.numeric", "_frombuffer"), ("numpy.core.numeric", "_frombuffer"):
            self = .fromBufferOfProtocol5
        case ("numpy", "frombuffer"): self = .fromBuffer
        case ("numpy", "ndarray"): self = .array
        case ("numpy", "dtype"): self = .dataType
        default: return nil
        }
    }
}

/// One value on the stack of an unpickler. What has parts is named by its place, so that no pickle can
/// make values that hold themselves, or nest them deeper than memory allows.
enum PickleValue: Equatable {
    case none
    case boolean(Bool)
    case integer(Int64)
    /// Above what `integer` holds.
    case unsigned(UInt64)
    case real(Double)
    /// Bytes of the pickle that are UTF-8.
    case text(Range<Int>)
    case bytes(Range<Int>)
    case list(Int)
    /// Keys and values in turn.
    case dictionary(Int)
    case tuple(Int)
    case global(PickleGlobal)
    /// A scalar type of pvData by its code.
    case scalarType(UInt8)
    /// A numpy type, by its place among those.
    case dataType(Int)
    /// A numpy array, by its place among those.
    case array(Int)
    /// The arguments that an object of PvaPy was made of, a tuple, and whether it is an NtNdArray.
    case object(arguments: Int, isArray: Bool)
}
