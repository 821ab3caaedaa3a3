import NDArrays

// One line for every element type, so that each has its own machine code.

extension Int8: ScannableElement {
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum {
        smallSum(pixels, count)
    }
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments {
        smallMoments(pixels, count)
    }
}

extension UInt8: ScannableElement {
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum {
        smallSum(pixels, count)
    }
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments {
        smallMoments(pixels, count)
    }
}

extension Int16: ScannableElement {
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum {
        smallSum(pixels, count)
    }
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments {
        smallMoments(pixels, count)
    }
}

extension UInt16: ScannableElement {
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum {
        pairSum(pixels, count)
    }
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments {
        smallMoments(pixels, count)
    }
}

extension Int32: ScannableElement {
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum {
        mediumSum(pixels, count)
    }
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments {
        mediumMoments(pixels, count)
    }
}

extension UInt32: ScannableElement {
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum {
        mediumSum(pixels, count)
    }
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments {
        mediumMoments(pixels, count)
    }
}

extension Int64: ScannableElement {
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum {
        .integer(largeSum(pixels, count))
    }
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments {
        largeMoments(pixels, count)
    }
}

extension UInt64: ScannableElement {
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum {
        .integer(largeSum(pixels, count))
    }
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments {
        largeMoments(pixels, count)
    }
}

extension Float: ScannableElement {
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum {
        .real(realSum(pixels, count).sum)
    }
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments {
        realMoments(pixels, count)
    }
}

extension Double: ScannableElement {
    static func blockSum(_ pixels: UnsafePointer<Self>, _ count: Int) -> ExactSum {
        .real(realSum(pixels, count).sum)
    }
    static func blockMoments(_ pixels: UnsafePointer<Self>, _ count: Int) -> BlockMoments {
        realMoments(pixels, count)
    }
}

extension ElementType {
    /// Calls the visitor with the Swift type for this element type, as `accept` does.
    func scan<Visitor: ScanVisitor>(_ visitor: Visitor) -> Visitor.Result {
        switch self {
        case .boolean, .uint8: visitor.visit(UInt8.self)
        case .int8: visitor.visit(Int8.self)
        case .int16: visitor.visit(Int16.self)
        case .int32: visitor.visit(Int32.self)
        case .int64: visitor.visit(Int64.self)
        case .uint16: visitor.visit(UInt16.self)
        case .uint32: visitor.visit(UInt32.self)
        case .uint64: visitor.visit(UInt64.self)
        case .float32: visitor.visit(Float.self)
        case .float64: visitor.visit(Double.self)
        }
    }
}

/// Work that is written once for every element type.
protocol ScanVisitor {
    associatedtype Result
    func visit<Element: ScannableElement>(_ type: Element.Type) -> Result
}
