internal import WorkerProtocol

/// The names of files that frames of a run have written, by a hash of each: 8 bytes a file and the room
/// between them, in a run that is taken up and finds a file of the same bytes under a name.
///
/// Two names of one hash, of which there are none in practice, make a frame fail that could have gone
/// through; they never let one pass.
struct OwnedNames {
    private var hashes: Set<Int> = []

    /// No names yet.
    init() {}

    /// The names in a ledger, with those of frames that were committed and are not closed there yet.
    init(ledgerPath: String, committed: [Closing]) {
        var announced: [EntryId: [Int]] = [:]
        do throws(ControllerError) {
            var reader = try LedgerReader(path: ledgerPath)
            while let record = try reader.next() {
                switch record {
                case .intent(let closing, let files):
                    announced[closing.id] = files.map(\.finalPath.hashValue)
                case .closings(let batch):
                    for closing in batch.closings {
                        guard let names = announced.removeValue(forKey: closing.id),
                            closing.fileCount > 0
                        else { continue }
                        hashes.formUnion(names)
                    }
                case .run, .resumed, .directory, .reason, .change, .changeTakenBack, .undone,
                    .account, .claims:
                    break
                }
            }
        } catch {
            // Its own problems are told elsewhere; what was read of it counts.
        }
        for closing in committed { hashes.formUnion(announced[closing.id] ?? []) }
    }

    /// Whether a frame has written the file.
    func contains(_ path: String) -> Bool { hashes.contains(path.hashValue) }

    /// A frame has written the file.
    mutating func insert(_ path: String) { hashes.insert(path.hashValue) }
}
