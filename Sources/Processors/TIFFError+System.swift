public import DataProcessing
public import TIFF

extension TIFFError: OperatingSystemError {
    /// The errno of the call that failed, nil where the file or the request is at fault.
    public var errorNumber: Int32? {
        if case .systemCall(_, let errno) = code { return errno }
        return nil
    }
}
