internal import Exporters
public import Telemetry

/// Delivers what waits in a spool, without a run.
public enum SpoolDraining {
    /// Delivers what `name` has in the spool in `directory`, first what was set aside, in order up to the first
    /// record that is not taken. Records are in the form of the exporter that wrote them.
    ///
    /// - Throws: `TelemetryError` where the spool can't be read or is open elsewhere, or the destination can't
    ///   be.
    public static func drain(
        _ directory: String, of name: String, to destination: ExportDestination
    ) throws(TelemetryError) -> SpoolTools.DrainReport {
        do {
            let exporter = try ExporterMaking.make(
                ExporterConfiguration(name: destination.kind, destination: destination)
            ).exporter
            defer { exporter.close() }
            return try SpoolTools.drain(directory: directory, destination: name, to: exporter)
        } catch {
            throw TelemetryError("\(error)")
        }
    }
}
