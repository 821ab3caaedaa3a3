// A processor author needs arrays, statistics and the logger wherever DataProcessing is imported:
// `import DataProcessing` is the one import of a processor.
@_exported public import Logging
@_exported public import NDArrays
@_exported public import Statistics
