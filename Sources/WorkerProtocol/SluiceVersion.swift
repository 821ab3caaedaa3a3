/// The version of Sluice: of the command, of the workers and of the package that processors of others
/// are built with.
package enum SluiceVersion {
    /// As `sluice --version` prints it (semver.org).
    package static let text = "0.1.0"
}
