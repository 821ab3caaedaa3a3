internal import DataProcessing

/// What an encryptor or decryptor counts, under the ancestor's names.
struct CryptographyStatistics {
    /// `nEncrypted` or `nDecrypted`.
    let countKey: String
    let description: String
    private var count: UInt64 = 0
    private var refused: UInt64 = 0
    private var nanoseconds: UInt64 = 0

    init(countKey: String, description: String) {
        self.countKey = countKey
        self.description = description
    }

    /// Counts and times one frame.
    mutating func record<Result>(_ body: () throws -> Result) rethrows -> Result {
        let started = monotonicNanoseconds()
        do {
            let result = try body()
            count += 1
            nanoseconds += monotonicNanoseconds() - started
            return result
        } catch {
            refused += 1
            throw error
        }
    }

    mutating func reset() { (count, refused, nanoseconds) = (0, 0, 0) }

    var values: [String: StatisticValue] {
        let seconds = Double(nanoseconds) / 1e9
        return [
            countKey: .unsigned(count), "processingTime": .real(seconds),
            "processingRate": .real(seconds > 0 ? Double(count) / seconds : 0),
            "nRefused": .unsigned(refused),
        ]
    }

    var declarations: [StatisticDeclaration] {
        [
            StatisticDeclaration(
                key: countKey, kind: .unsigned, unit: .count, description: description),
            StatisticDeclaration(
                key: "processingTime", kind: .real, unit: .seconds,
                description: "Time spent on those"),
            StatisticDeclaration(
                key: "processingRate", kind: .real, unit: "Hz",
                description: "Frames over the time spent on them"),
            StatisticDeclaration(
                key: "nRefused", kind: .unsigned, unit: .count,
                description: "Frames that failed here"),
        ]
    }
}
