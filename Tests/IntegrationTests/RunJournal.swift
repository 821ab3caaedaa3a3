import Foundation
import TestSupport
import Testing

/// The journal of a run, for what a test asks of it.
struct RunJournal {
    /// One event.
    struct Event {
        let name: String
        private let context: [String: Any]

        fileprivate init?(_ line: Substring) {
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8))
            guard let event = object as? [String: Any], let name = event["name"] as? String else {
                return nil
            }
            self.name = name
            context = event["context"] as? [String: Any] ?? [:]
        }

        /// The text under a key, nil where there is none.
        func text(_ key: String) -> String? { context[key] as? String }

        /// The number under a key, nil where there is none.
        func number(_ key: String) -> Double? { (context[key] as? NSNumber)?.doubleValue }
    }

    let events: [Event]

    /// The journal in the run directory `run` of a folder.
    init(in folder: TemporaryFolder) throws {
        events = try folder.text(of: "run/journal.jsonl").split(separator: "\n").map {
            try #require(Event($0))
        }
    }

    /// The events of a name.
    func events(_ name: String) -> [Event] { events.filter { $0.name == name } }

    /// The workers that did not leave in order.
    var losses: [Event] { events("worker-gone").filter { $0.text("cause") != nil } }
}
