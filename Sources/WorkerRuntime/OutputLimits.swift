internal import NDArrays
internal import Statistics
internal import WorkerProtocol

// Processors may make attributes, structures and statistics of any size; the controller's decoder takes
// only what is within the limits of the protocol, and holds anything else for damage. So it is checked
// here, where the frame can be named. Lengths of texts are known without looking at the characters.

extension FrameDescriptor {
    /// What is over a limit of the protocol, as a sentence; nil when all is within.
    var fault: String? {
        if attributes.count > ProtocolLimits.maximumAttributeCount {
            return "it has \(attributes.count) attributes, the most are "
                + "\(ProtocolLimits.maximumAttributeCount)"
        }
        for attribute in attributes {
            let text = if case .string(let text)? = attribute.value { text } else { "" }
            guard attribute.name.isName, text.isText, attribute.description.isText,
                attribute.source.isText
            else { return "its attribute \(attribute.name.prefix(80)) is too long" }
        }
        switch payload {
        case .image: return nil
        case .bytes(let typeName): return typeName.isName ? nil : "the name of its type is too long"
        case .structure(let structure, let typeName):
            if !typeName.isName { return "the name of its type is too long" }
            return structure.isWithinLimits(depth: 0)
                ? nil : "its structure is too large or too deep"
        }
    }
}

extension String {
    fileprivate var isName: Bool { utf8.count <= ProtocolLimits.maximumNameByteCount }
    fileprivate var isText: Bool { utf8.count <= ProtocolLimits.maximumTextByteCount }
}

extension Structure {
    fileprivate func isWithinLimits(depth: Int) -> Bool {
        depth < ProtocolLimits.maximumDepth && fields.count <= ProtocolLimits.maximumFieldCount
            && fields.allSatisfy { $0.name.isName && $0.value.isWithinLimits(depth: depth + 1) }
    }
}

extension StructureValue {
    fileprivate func isWithinLimits(depth: Int) -> Bool {
        switch self {
        case .scalar(.string(let text)): text.isText
        case .scalar: true
        case .list(let values):
            depth < ProtocolLimits.maximumDepth && values.count <= ProtocolLimits.maximumFieldCount
                && values.allSatisfy { $0.isWithinLimits(depth: depth + 1) }
        case .structure(let structure): structure.isWithinLimits(depth: depth)
        }
    }
}

extension [Statistic] {
    /// Those that the protocol can carry: all, but for absurd ones.
    var withinLimits: [Statistic] {
        let fitting = filter { statistic in
            let declaration = statistic.declaration
            let text = if case .text(let text) = statistic.value { text } else { "" }
            return declaration.key.isName && declaration.unit.rawValue.isName
                && declaration.description.isText && text.isText
        }
        return [Statistic](fitting.prefix(ProtocolLimits.maximumStatisticCount))
    }
}
