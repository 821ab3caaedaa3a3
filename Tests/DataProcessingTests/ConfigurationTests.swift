import DataProcessing
import Testing

final class Everything: UserDataProcessor {
    static let flag = Setting("flag", default: false, "A flag")
    static let count = Setting("count", default: 3, in: 1...10, unit: "frames", "A count")
    static let open = Setting("open", default: 0, in: 0..., "Open upwards")
    static let energy = Setting("energy", default: 8.979, in: 0...100, unit: "keV", "An energy")
    static let mode = Setting("mode", default: "fast", choices: ["fast", "exact"], "A mode")
    static let file = Setting("file", path: "mask.tif", isChangeable: false, "A file")
    static let names = Setting("names", default: ["a"], "Names")
    static let sizes = Setting("sizes", default: [1, 2], "Sizes")
    static let factors = Setting("factors", default: [0.5], "Factors")
    static let needed = Setting("needed", required: Int.self, "Has to be given")
    override class var settings: [any SettingDeclaration] {
        [flag, count, open, energy, mode, file, names, sizes, factors, needed]
    }
}

@Suite struct ConfigurationTests {
    private func make(_ pairs: KeyValuePairs<String, StructureValue>) throws -> Configuration {
        var all = Structure(pairs)
        if all["needed"] == nil { all["needed"] = .scalar(.int32(1)) }
        return try Configuration(all, for: Everything.self)
    }

    private func text(_ key: String, _ value: String) throws -> Configuration {
        var structure = Structure(["needed": .scalar(.string("1"))])
        structure[key] = .scalar(.string(value))
        return try Configuration(structure, for: Everything.self)
    }

    @Test func `what is not given has its default`() throws {
        let configuration = try make([:])
        #expect(configuration[Everything.count] == 3)
        #expect(configuration[Everything.energy] == 8.979)
        #expect(configuration[Everything.names] == ["a"])
        #expect(configuration[Everything.needed] == 1)
        #expect(configuration.structure.fields.count == Everything.settings.count)
    }

    @Test func `text is parsed by the type of the setting`() throws {
        #expect(try text("flag", "yes")[Everything.flag])
        #expect(try text("flag", "True")[Everything.flag])
        #expect(try !text("flag", "no")[Everything.flag])
        #expect(try text("count", "7")[Everything.count] == 7)
        #expect(try text("open", "1e6")[Everything.open] == 1_000_000)
        #expect(try text("energy", "1.5e1")[Everything.energy] == 15)
        #expect(
            try text("names", "[a, 'b,c', \"\", d e]")[Everything.names] == ["a", "b,c", "", "d e"])
        #expect(try text("names", "[]")[Everything.names] == [])
        #expect(try text("names", "one")[Everything.names] == ["one"])
        #expect(try text("sizes", "[1,2 , 3]")[Everything.sizes] == [1, 2, 3])
        #expect(try text("factors", "[1, 2.5]")[Everything.factors] == [1, 2.5])
        #expect(try text("mode", "exact")[Everything.mode] == "exact")
    }

    @Test func `typed values of other widths are taken where nothing is lost`() throws {
        #expect(try make(["count": .scalar(.float64(4))])[Everything.count] == 4)
        #expect(try make(["count": .scalar(.uint8(4))])[Everything.count] == 4)
        #expect(try make(["energy": .scalar(.int16(4))])[Everything.energy] == 4)
        #expect(try make(["file": .scalar(.int64(2026))])[Everything.file] == "2026")
        #expect(
            try make(["sizes": .list([.scalar(.uint16(4)), .scalar(.string("5"))])])[
                Everything.sizes] == [4, 5])
    }

    @Test(arguments: [
        ("flag", "maybe"), ("flag", "1"), ("count", "0"), ("count", "11"), ("count", "2.5"),
        ("count", "x"), ("count", ""), ("open", "-1"), ("energy", "nan"), ("energy", "100.1"),
        ("mode", "slow"), ("sizes", "[1,x]"), ("sizes", "[1"), ("names", "['a]"),
    ])
    func `a wrong value names processor, key, value and what is allowed`(key: String, value: String)
    {
        let error = #expect(throws: ConfigurationError.self) { try text(key, value) }
        let message = error?.description ?? ""
        #expect(
            message.contains("Everything") && message.contains(key)
                && message.contains("'\(value)'"))
    }

    @Test func `messages say what is allowed and what may have been meant`() throws {
        func message(_ key: String, _ value: String) -> String? {
            #expect(throws: ConfigurationError.self) { try text(key, value) }?.description
        }
        #expect(
            message("count", "11")
                == "Everything: count can't be '11'; "
                + "it has to be a whole number from 1 to 10 frames"
        )
        #expect(message("conut", "1") == "Everything has no setting conut; did you mean count?")
        #expect(message("Energy", "1") == "Everything has no setting Energy; did you mean energy?")
        #expect(message("mode", "x")?.hasSuffix("it has to be one of fast, exact") == true)
        #expect(message("qqqqqqqq", "1")?.contains("it has flag, count") == true)
        #expect(message("open", "-1")?.hasSuffix("a whole number from 0 up") == true)
    }

    @Test func `a required setting has to be given`() {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration(for: Everything.self)
        }
        #expect(
            error
                == .missing(processor: "Everything", key: "needed", allowed: "a whole number"))
    }

    @Test func `a change is merged and what can't change stays`() throws {
        let first = try make(["count": .scalar(.int64(5))])
        let second = try first.changing(by: Structure(["energy": .scalar(.string("12"))]))
        #expect(second[Everything.count] == 5 && second[Everything.energy] == 12)
        #expect(first[Everything.energy] == 8.979)
        #expect(first != second)
        let error = #expect(throws: ConfigurationError.self) {
            try first.changing(by: Structure(["file": .scalar(.string("other.tif"))]))
        }
        #expect(error == .notChangeable(processor: "Everything", key: "file"))
        let same = try first.changing(by: Structure(["file": .scalar(.string("mask.tif"))]))
        #expect(same == first)
    }

    @Test func `a setting that was not declared gives its default`() throws {
        let other = Setting("other", default: 4, "Other")
        #expect(try make([:])[other] == 4)
    }
}

@Suite struct ProcessorRegistryTests {
    @Test func `processors are found by name and alias, and near misses are named`() throws {
        let registry = try ProcessorRegistry(
            [Everything.self, HotPixels.self], aliases: ["Hot": "HotPixels"])
        #expect(registry.names == ["Everything", "HotPixels"])
        #expect(try registry.factory(named: "Hot").name == "HotPixels")
        #expect(try registry.make("HotPixels") is HotPixels)
        let error = #expect(throws: ProcessingError.self) {
            try registry.factory(named: "HotPixel")
        }
        #expect(error?.description == "there is no processor HotPixel; did you mean HotPixels?")
        #expect(throws: ProcessingError.duplicateName("HotPixels")) {
            try ProcessorRegistry([HotPixels.self, HotPixels.self])
        }
        #expect(throws: ProcessingError.self) {
            try ProcessorRegistry([HotPixels.self], aliases: ["A": "B"])
        }
    }

    @Test(arguments: [
        ("PixelStatisics", "PixelStatistics"), ("passthrough", "PassThrough"),
        ("AdOutputFile", nil), ("Zzz", nil), ("PassThruogh", "PassThrough"),
    ])
    func `the nearest name is at most a third away`(name: String, expected: String?) {
        let names = ["PixelStatistics", "PassThrough", "AdOutputFileProcessor"]
        #expect(nearestName(to: name, in: names) == expected)
    }

    @Test func `a processor of the ancestor's worker kind is made with an id`() throws {
        final class Old: UserMpDataProcessor {}
        #expect(try Old(processorId: 4).processorId == 4)
        #expect(try Old().processorId == 1)
    }

    @Test func `hooks out of order are refused and the state stays`() throws {
        typealias Command = ProcessorLifeCycle.Command
        let allowed: [ProcessorLifeCycle.State: Set<Command>] = [
            .made: [.configure], .configured: [.configure, .start, .getStats, .stop],
            .started: [.configure, .process, .getStats, .resetStats, .stop], .stopped: [.getStats],
        ]
        let ways: [ProcessorLifeCycle.State: [Command]] = [
            .made: [], .configured: [.configure], .started: [.configure, .start],
            .stopped: [.configure, .start, .stop],
        ]
        for (state, way) in ways {
            for command in Command.allCases {
                var life = ProcessorLifeCycle()
                for step in way { try life.accept(step, processor: "P") }
                #expect(life.state == state)
                if allowed[state]?.contains(command) == true {
                    try life.accept(command, processor: "P")
                } else {
                    #expect(
                        throws: ProcessingError.wrongOrder(
                            processor: "P", command: command, state: state)
                    ) { try life.accept(command, processor: "P") }
                    #expect(life.state == state)
                }
            }
        }
    }
}
