/// What a frame was called where it was sealed: a stage of a run accepts each of these once.
package struct FrameClaim: Sendable, Hashable {
    /// Most bytes of a scope: a key id and the hash of a run's name in hexadecimal digits have 49.
    package static let maximumScopeByteCount = 128

    /// Whose frame it is: the key that it was sealed for and the sender's run.
    package var scope: String
    /// Which frame of that run.
    package var key: FrameKey

    /// The frame `key` of `scope`.
    package init(scope: String, key: FrameKey) {
        self.scope = scope
        self.key = key
    }
}
