import NDArrays
import Testing

@Suite("Attributes, structures, values")
struct ValueTests {
    @Test("An attribute set again is replaced in its place")
    func replacing() {
        var attributes = NDAttributes([
            NDAttribute("a", .int8(1)), NDAttribute("b", nil), NDAttribute("a", .int8(2)),
        ])
        #expect(attributes.map(\.name) == ["a", "b"])
        #expect(attributes["a"]?.value == .int8(2))
        attributes.set("b", .string("x"))
        attributes.set("c", .boolean(true))
        #expect(attributes.map(\.name) == ["a", "b", "c"])
        attributes.remove("a")
        attributes.remove("not there")
        #expect(attributes.map(\.name) == ["b", "c"])
        #expect(attributes["a"] == nil)
    }

    @Test("Unique attributes keep their order, a name that comes twice gives none")
    func unique() {
        let list = (0..<100).map { NDAttribute("\($0)", nil) }
        #expect(NDAttributes(uniqueAttributes: list).map(Array.init) == list)
        #expect(NDAttributes(uniqueAttributes: list + [NDAttribute("5", nil)]) == nil)
        #expect(NDAttributes(uniqueAttributes: [])?.isEmpty == true)
    }

    @Test("A structure keeps each name once, in order")
    func structures() {
        var structure = Structure(["a": .scalar(.int8(1)), "b": .list([]), "a": .scalar(.int8(2))])
        #expect(structure.fields.map(\.name) == ["a", "b"])
        #expect(structure["a"] == .scalar(.int8(2)))
        structure["a"] = nil
        structure["z"] = nil
        #expect(structure.fields.map(\.name) == ["b"])
        let field = Structure.Field(name: "x", value: .list([]))
        #expect(Structure(uniqueFields: [field, field]) == nil)
        #expect(Structure(uniqueFields: [field])?.fields == [field])
    }

    @Test("Values are numbers where they can be, exactly or not at all")
    func numbers() {
        #expect(ScalarValue.uint64(.max).int64Value == nil)
        #expect(ScalarValue.uint64(7).int64Value == 7)
        #expect(ScalarValue.float64(7).int64Value == nil)
        #expect(ScalarValue.boolean(true).doubleValue == 1)
        #expect(ScalarValue.int64(.min).doubleValue == -0x1p63)
        #expect(ScalarValue.string("7").doubleValue == nil)
        #expect(ScalarValue.float64(0.1).description == "0.1")
        #expect(ScalarValue.string("x").elementType == nil)
    }

    @Test("Time stamps are ordered by seconds, then nanoseconds")
    func timeStamps() {
        let stamps = [
            TimeStamp(secondsPastEpoch: -1, nanoseconds: 5), TimeStamp(),
            TimeStamp(nanoseconds: 1), TimeStamp(secondsPastEpoch: 1),
        ]
        #expect(stamps.reversed().sorted() == stamps)
        #expect(TimeStamp(secondsPastEpoch: 1, nanoseconds: 500_000_000).seconds == 1.5)
    }
}
