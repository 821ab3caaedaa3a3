internal import SwiftASN1

/// One PEM document: what it says it is, and its bytes.
struct KeyDocument {
    /// What stands between BEGIN and the dashes: `PRIVATE KEY`.
    let label: String
    /// The bytes, DER as a rule; empty where the text is protected the old way.
    let bytes: [UInt8]
    /// The text.
    let text: String
    /// Whether OpenSSL's old protection is on it: a `Proc-Type` header (RFC 1421), which only the
    /// cryptographic library opens.
    let isProtectedByHeader: Bool
    let path: String

    private enum Identifier {
        static let rsa: ASN1ObjectIdentifier = "1.2.840.113549.1.1.1"
        static let x25519: ASN1ObjectIdentifier = "1.3.101.110"
        static let ed25519: ASN1ObjectIdentifier = "1.3.101.112"
    }

    init(_ contents: [UInt8], path: String) throws(KeyError) {
        self.path = path
        text = String(decoding: contents, as: UTF8.self)
        isProtectedByHeader = text.contains("Proc-Type: 4,ENCRYPTED")
        if isProtectedByHeader {
            guard text.contains("-----BEGIN RSA PRIVATE KEY-----") else {
                throw .notAKey(path: path, reason: "only RSA keys may be protected this way")
            }
            label = "RSA PRIVATE KEY"
            bytes = []
            return
        }
        do {
            let document = try PEMDocument(pemString: Self.firstDocument(of: text))
            label = document.discriminator
            bytes = document.derBytes
        } catch {
            let isCut = text.contains("-----BEGIN ") && !text.contains("-----END ")
            throw .notAKey(
                path: path,
                reason: isCut
                    ? "it is cut: it begins as a PEM file and has no -----END …-----"
                    : "it is not a PEM file (-----BEGIN … KEY-----)")
        }
    }

    /// From the first BEGIN to its END: `openssl` may write other lines before.
    private static func firstDocument(of text: String) -> String {
        guard let begin = text.firstRange(of: "-----BEGIN "),
            let end = text[begin.upperBound...].firstRange(of: "-----END ")
        else { return text }
        let rest = text[end.lowerBound...]
        let last = rest.firstIndex(of: "\n") ?? rest.endIndex
        return String(text[begin.lowerBound..<last])
    }

    /// The kind of key in a SubjectPublicKeyInfo (RFC 5280): SEQUENCE { algorithm, key }.
    func publicKind() throws(KeyError) -> KeyKind { try kind(position: 0) }

    /// The kind of key in a PrivateKeyInfo (RFC 5208): SEQUENCE { version, algorithm, key … }.
    func privateKind() throws(KeyError) -> KeyKind { try kind(position: 1) }

    private func kind(position: Int) throws(KeyError) -> KeyKind {
        let identifier: ASN1ObjectIdentifier
        do {
            let found = try DER.sequence(try DER.parse(bytes), identifier: .sequence) { nodes in
                var algorithm: ASN1ObjectIdentifier?
                var index = 0
                while let node = nodes.next() {
                    if index == position {
                        algorithm = try DER.sequence(node, identifier: .sequence) { parts in
                            let identifier = try ASN1ObjectIdentifier(derEncoded: &parts)
                            while parts.next() != nil {}
                            return identifier
                        }
                    }
                    index += 1
                }
                return algorithm
            }
            guard let found else {
                throw KeyError.notAKey(path: path, reason: "it does not say its algorithm")
            }
            identifier = found
        } catch {
            throw .notAKey(path: path, reason: "its bytes are damaged")
        }
        switch identifier {
        case Identifier.rsa: return .rsa
        case Identifier.x25519: return .x25519
        case Identifier.ed25519: return .ed25519
        default:
            throw .notAKey(
                path: path, reason: "its algorithm \(identifier) is none of RSA, X25519, Ed25519")
        }
    }
}
