/// How a record becomes a row.
///
/// In both layouts the columns `source` (text), `seq` (whole numbers) and `time` or `timestamp` get those of the
/// record, where the table has them and the record has no field of the name. Where the table has a unique key
/// of exactly `source` and `seq`, a record that comes again changes nothing.
public enum RowLayout: Sendable, Hashable {
    /// Each field of the record, which has to be an object, goes into the column of its name.
    case columns
    /// The whole value, of any kind, goes into the column `data`, which is best of a JSON type.
    case document
}
