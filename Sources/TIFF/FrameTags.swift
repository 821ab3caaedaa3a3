import NDArrays

/// Id, time stamp and attributes of a page: from the provenance block where there is one, else from
/// areaDetector's tags and those that describe the picture.
struct FrameTags {
    let uniqueId: UInt64?
    let timeStamp: TimeStamp?
    let attributes: NDAttributes

    init(_ directory: Directory, provenance: Provenance?) throws(TIFFError) {
        let stored = try directory.number(TagCode.uniqueId)
        let storedTime = try Self.timeStamp(directory)
        uniqueId = provenance?.uniqueId ?? stored
        timeStamp = provenance?.timeStamp ?? storedTime
        if let provenance {
            attributes = provenance.attributes
        } else {
            attributes = try Self.attributes(directory, timeStamp: storedTime)
        }
    }

    /// Tags 65002 and 65003 (seconds since 1990); zero in both means that EPICS had none, then
    /// 65000.
    private static func timeStamp(_ directory: Directory) throws(TIFFError) -> TimeStamp? {
        let seconds = try directory.number(TagCode.epicsSeconds) ?? 0
        let nanoseconds = try directory.number(TagCode.epicsNanoseconds) ?? 0
        if seconds != 0 || nanoseconds != 0 {
            guard seconds <= UInt64(UInt32.max), nanoseconds <= UInt64(UInt32.max) else {
                throw directory.fault(.damaged("no time of 32 bits"), tag: TagCode.epicsSeconds)
            }
            let carried = Int64(seconds) + Int64(nanoseconds / 1_000_000_000)
            return TimeStamp(
                secondsPastEpoch: carried + TimeStamp.epicsEpochOffset,
                nanoseconds: Int32(nanoseconds % 1_000_000_000))
        }
        guard let time = try directory.real(TagCode.timeStamp), time > 0,
            time <= Double(UInt32.max)
        else { return nil }
        let whole = time.rounded(.down)
        return TimeStamp(
            secondsPastEpoch: Int64(whole) + TimeStamp.epicsEpochOffset,
            nanoseconds: min(Int32((time - whole) * 1e9), 999_999_999))
    }

    private static func attributes(
        _ directory: Directory, timeStamp: TimeStamp?
    ) throws(TIFFError) -> NDAttributes {
        var list: [NDAttribute] = []
        var names: Set<String> = []
        for entry in directory.entries where entry.code >= TagCode.firstAttribute {
            guard let text = try directory.text(entry), let colon = text.utf8.firstIndex(of: 0x3A)
            else { continue }
            let name = String(text[..<colon])
            guard !name.isEmpty, names.insert(name).inserted else { continue }
            list.append(
                NDAttribute(name, AttributeText.infer(text[text.utf8.index(after: colon)...])))
        }
        for tag in DescribingTag.all where directory.entry(tag.code) != nil {
            guard let value = try value(of: tag, directory), names.insert(tag.name).inserted else {
                continue
            }
            list.append(
                NDAttribute(tag.name, value, sourceType: .constant, source: tag.source))
        }
        if let time = try directory.real(TagCode.timeStamp),
            time != (timeStamp ?? TimeStamp()).epicsSeconds,
            names.insert(DescribingTag.timeStampName).inserted
        {
            list.append(
                NDAttribute(
                    DescribingTag.timeStampName, .float64(time), sourceType: .constant,
                    source: DescribingTag.timeStampSource))
        }
        return NDAttributes(list)
    }

    /// The value of a describing tag; nil when it is empty or only what NDFileTIFF fills in.
    private static func value(
        of tag: DescribingTag, _ directory: Directory
    ) throws(TIFFError) -> ScalarValue? {
        switch tag.kind {
        case .text:
            guard let text = try directory.text(tag.code), !text.isEmpty else { return nil }
            let isFiller =
                (tag.code == 271 || tag.code == 272) && text == DescribingTag.unknown
                || tag.code == TagCode.software && text == DescribingTag.areaDetectorSoftware
            return isFiller ? nil : .string(text)
        case .rational:
            return try directory.real(tag.code).map { .float64($0) }
        case .short:
            return try directory.number(tag.code).map { .uint16(UInt16(clamping: $0)) }
        }
    }
}

extension TimeStamp {
    /// The time as NDFileTIFF's tag 65000 has it: seconds since 1990 as float64; 0 where there is
    /// none.
    var epicsSeconds: Double {
        self == TimeStamp()
            ? 0
            : Double(secondsPastEpoch) - Double(Self.epicsEpochOffset) + Double(nanoseconds) / 1e9
    }

    /// Whether tags 65002 and 65003 hold the time exactly and can be told from "none".
    var fitsEpicsTags: Bool {
        if self == TimeStamp() { return true }
        let (seconds, overflow) = secondsPastEpoch.subtractingReportingOverflow(
            Self.epicsEpochOffset)
        return !overflow && seconds >= 0 && seconds <= Int64(UInt32.max) && nanoseconds >= 0
            && nanoseconds < 1_000_000_000 && (seconds != 0 || nanoseconds != 0)
    }
}
