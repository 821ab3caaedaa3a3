internal import Telemetry

/// A record that its destination can never take.
struct UnfitRecord: Error, Equatable {
    /// Why, without the name of the exporter.
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// The outcomes of one call of `deliver`, gathered in any order.
struct OutcomeList {
    /// How long a destination is left alone where somebody has to put its configuration right: a wrong
    /// password tried ten times a second locks accounts and fills logs.
    static let configurationPause: Duration = .seconds(30)

    private let exporter: String
    private var outcomes: [ExportOutcome?]

    /// Outcomes to come of so many records; `exporter` stands before every reason.
    init(exporter: String, count: Int) {
        self.exporter = exporter
        outcomes = Array(repeating: nil, count: count)
    }

    /// Whether nothing more is to be sent: a record has to be sent again first.
    var isHeldBack: Bool {
        outcomes.contains { if case .retryable = $0 { true } else { false } }
    }

    /// What became of one record.
    mutating func set(_ index: Int, _ outcome: ExportOutcome) { outcomes[index] = outcome }

    /// The records that have no outcome yet.
    var open: [Int] { outcomes.indices.filter { outcomes[$0] == nil } }

    /// All, in the order of the records: those after one that is to be sent again are, too, unless the
    /// destination has them, so that their order stays.
    func finished() -> [ExportOutcome] {
        var held: ExportOutcome?
        return outcomes.map { outcome in
            let outcome = outcome ?? held ?? .retryable(reason: "not sent", after: nil)
            switch outcome {
            case .delivered: return outcome
            case .retryable(let reason, let after):
                let named = ExportOutcome.retryable(reason: "\(exporter): \(reason)", after: after)
                held = held ?? outcome
                return named
            case .permanent(let reason):
                guard case .retryable(let earlier, let after)? = held else {
                    return .permanent(reason: "\(exporter): \(reason)")
                }
                return .retryable(reason: "\(exporter): \(earlier)", after: after)
            }
        }
    }

    /// The same outcome for all that have none.
    mutating func setOpen(_ outcome: ExportOutcome) {
        for index in open { outcomes[index] = outcome }
    }
}

/// The end of a text of others that goes into a message: one line, at most 300 characters.
func excerpt(_ text: some StringProtocol) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    return line.count <= 300 ? line : line.prefix(300) + "…"
}
