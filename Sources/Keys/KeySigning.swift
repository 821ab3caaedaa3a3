package import Crypto
internal import CryptoExtras
internal import FoundationEssentials

/// How a frame is signed; the raw value is the code in frames.
package enum SignatureKind: UInt8, Sendable, Hashable {
    /// RSA-PSS with SHA-256 and a salt of 32 bytes (RFC 8017 §8.1).
    case rsaPSS = 1
    /// Ed25519 (RFC 8032) over the SHA-256 of what is signed.
    case ed25519 = 2
}

extension PrivateKey {
    /// How this key signs.
    ///
    /// - Throws: `KeyError.wrongKind` for a key that only encrypts.
    package func signatureKind() throws(KeyError) -> SignatureKind {
        switch material {
        case .rsa: return .rsaPSS
        case .ed25519: return .ed25519
        case .x25519: throw .wrongKind(path: path, had: .x25519, purpose: "sign")
        }
    }

    /// The signature of what has this digest.
    ///
    /// - Throws: `KeyError.wrongKind` for a key that only encrypts.
    package func sign(_ digest: SHA256.Digest) throws(KeyError) -> [UInt8] {
        do {
            switch material {
            case .rsa(let key):
                return [UInt8](try key.signature(for: digest, padding: .PSS).rawRepresentation)
            case .ed25519(let key): return [UInt8](try key.signature(for: Data(digest)))
            case .x25519: throw KeyError.wrongKind(path: path, had: .x25519, purpose: "sign")
            }
        } catch let error as KeyError {
            throw error
        } catch {
            throw .operationFailed("signing")
        }
    }

    /// What PvaPy signs with: RSA with PKCS #1 v1.5 over a SHA-1 (RFC 8017 §8.2).
    ///
    /// - Throws: `KeyError.wrongKind` for a key that is not RSA.
    package func signOldStyle(_ digest: Insecure.SHA1.Digest) throws(KeyError) -> [UInt8] {
        guard case .rsa(let key) = material else {
            throw .wrongKind(path: path, had: kind, purpose: "sign for PvaPy")
        }
        do {
            return [UInt8](
                try key.signature(for: digest, padding: .insecurePKCS1v1_5).rawRepresentation)
        } catch {
            throw .operationFailed("signing")
        }
    }
}

extension PublicKey {
    /// Bytes of a signature by this key.
    package var signatureByteCount: Int { bitCount.map { $0 / 8 } ?? 64 }

    /// Whether the owner of this key has signed what has this digest.
    package func verifies(
        _ signature: some Collection<UInt8>, _ kind: SignatureKind, of digest: SHA256.Digest
    ) -> Bool {
        switch (material, kind) {
        case (.rsa(let key), .rsaPSS):
            key.isValidSignature(
                .init(rawRepresentation: Data(signature)), for: digest, padding: .PSS)
        case (.ed25519(let key), .ed25519):
            key.isValidSignature(Data(signature), for: Data(digest))
        case (.rsa, .ed25519), (.ed25519, .rsaPSS), (.x25519, _): false
        }
    }

    /// The same for PvaPy's signatures.
    package func verifiesOldStyle(
        _ signature: some Collection<UInt8>, of digest: Insecure.SHA1.Digest
    ) -> Bool {
        guard case .rsa(let key) = material else { return false }
        return key.isValidSignature(
            .init(rawRepresentation: Data(signature)), for: digest, padding: .insecurePKCS1v1_5)
    }
}
