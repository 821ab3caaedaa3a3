internal import NDArrays

/// The types of the fields of an NTNDArray (normative types of EPICS 7), as PvaPy pickles them.
enum NTNDArrayForm {
    /// The type of the whole.
    static let typeName = "epics:nt/NTNDArray:1.0"

    private indirect enum Form: Sendable {
        case scalar(UInt8)
        case list(Form)
        case fields([(String, Form)])
        case choice([(String, Form)])
        case anything
    }

    private static let int = Form.scalar(ElementType.int32.rawValue)
    private static let long = Form.scalar(ElementType.int64.rawValue)
    private static let double = Form.scalar(ElementType.float64.rawValue)
    private static let boolean = Form.scalar(ElementType.boolean.rawValue)
    private static let text = Form.scalar(11)
    private static let time = Form.fields([
        ("secondsPastEpoch", long), ("nanoseconds", int), ("userTag", int),
    ])
    private static let alarm = Form.fields([
        ("severity", int), ("status", int), ("message", text),
    ])
    private static let dimension = Form.fields([
        ("size", int), ("offset", int), ("fullSize", int), ("binning", int), ("reverse", boolean),
    ])
    private static let attribute = Form.fields([
        ("name", text), ("value", .anything), ("tags", .list(text)), ("descriptor", text),
        ("alarm", alarm), ("timeStamp", time), ("sourceType", int), ("source", text),
    ])

    private static let fields: [(String, Form)] = [
        (
            "value",
            .choice(
                // The order of the union in PvaPy and in areaDetector.
                [
                    ElementType.boolean, .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64,
                    .uint64, .float32, .float64,
                ].map { ($0.fieldKey, .list(.scalar($0.rawValue))) })
        ),
        ("codec", .fields([("name", text), ("parameters", .anything)])),
        ("compressedSize", long), ("uncompressedSize", long), ("dimension", .list(dimension)),
        ("uniqueId", int), ("dataTimeStamp", time), ("attribute", .list(attribute)),
        ("descriptor", text), ("alarm", alarm), ("timeStamp", time),
        (
            "display",
            .fields([
                ("limitLow", double), ("limitHigh", double), ("description", text),
                ("format", text), ("units", text),
            ])
        ),
    ]

    /// Writes the dictionary of types.
    static func writeTypes(to pickler: inout Pickler) { write(.fields(fields), to: &pickler) }

    private static func write(_ form: Form, to pickler: inout Pickler) {
        switch form {
        case .scalar(let code): pickler.writeScalarType(code)
        case .anything: pickler.put(.emptyTuple)
        case .list(let item): pickler.list { write(item, to: &$0) }
        case .fields(let fields): writeFields(fields, to: &pickler)
        case .choice(let fields):
            writeFields(fields, to: &pickler)
            pickler.put(.tuple1)
        }
    }

    private static func writeFields(_ fields: [(String, Form)], to pickler: inout Pickler) {
        pickler.dictionary { pickler in
            for (name, form) in fields {
                pickler.write(name)
                write(form, to: &pickler)
            }
        }
    }

    /// Writes the names of the types of those fields that have one.
    static func writeTypeNames(to pickler: inout Pickler) {
        pickler.dictionary { pickler in
            for (name, type) in [
                ("codec", "codec_t"), ("dataTimeStamp", "time_t"), ("dimension", "dimension_t"),
                ("attribute", "epics:nt/NTAttribute:1.0"), ("alarm", "alarm_t"),
                ("timeStamp", "time_t"), ("display", "display_t"),
            ] {
                pickler.write(name)
                pickler.write(type)
            }
        }
    }
}
