public import NDArrays

extension NDArray {
    /// A copy of all its bytes.
    public var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}
