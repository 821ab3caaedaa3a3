internal import NDArrays
internal import WorkerProtocol

/// How a sealed frame is accepted once.
///
/// A claim is entered when a result with it comes and taken out again when the frame fails after that. A frame
/// that is given out again, to another worker or in another life of the run, had no result or was not closed:
/// its claim is free. One that an earlier life has closed, and that is processed again for what comes out
/// of it, must make the very claims that the ledger has of it.
extension Engine {
    /// Enters the claims of a frame that has come back; nil, or why it is not accepted.
    func enter(_ claims: [FrameClaim], of place: Int) -> String? {
        let stage = stages[entries[place].stage]
        if entries[place].isRepeated {
            let before = resumption?.claims(entries[place].key, stage: stage.index) ?? []
            return claims == before
                ? nil : "it is a replay: what was accepted in its place was another frame"
        }
        // It came before and its files could not be put in place.
        if entries[place].claims == claims { return nil }
        removeClaims(of: place)
        for claim in claims {
            switch claimed.enter(claim, stage: UInt16(stage.index)) {
            case .entered: entries[place].claims.append(claim)
            case .taken:
                removeClaims(of: place)
                return
                    "it is a replay: frame \(claim.key) of \(claim.scope) (key, run of the sender) was "
                    + "accepted before in stage \(stage.name)"
            case .full:
                removeClaims(of: place)
                return
                    "whether it is a replay can't be told: the frames that came before have "
                    + "\(ClaimRegister.maximumWordCount) gaps between their ids; begin another run"
            }
        }
        if keepsLedger {
            let id = EntryId(key: entries[place].key, stage: UInt16(stage.index))
            newClaims.append(.claims(id, claims))
        }
        return nil
    }

    /// Gives up the claims of a frame that did not go through.
    func removeClaims(of place: Int) {
        for claim in entries[place].claims {
            claimed.remove(claim, stage: UInt16(entries[place].stage))
        }
        entries[place].claims = []
    }
}
