package import Crypto
internal import CryptoExtras
internal import FoundationEssentials

/// How a session key is wrapped for its recipient; the raw value is the code in frames.
package enum KeyWrapping: UInt8, Sendable, Hashable {
    /// RSA with OAEP, SHA-256 and MGF1 with SHA-256 (RFC 8017 §7.1).
    case rsaOAEP = 1
    /// HPKE in base mode with X25519, HKDF-SHA256 and ChaCha20-Poly1305 (RFC 9180): 32 bytes of the
    /// sender's one-time key, then the sealed session key.
    case hpkeX25519 = 2

    /// Separates what is wrapped here from all other uses of the same key.
    fileprivate static let information = Data("Sluice frame key, version 1".utf8)
    /// Bytes of an X25519 key.
    fileprivate static let agreementByteCount = 32
}

extension PublicKey {
    /// How this key wraps.
    ///
    /// - Throws: `KeyError.wrongKind` for a key that only signs.
    package func wrapping() throws(KeyError) -> KeyWrapping {
        switch material {
        case .rsa: return .rsaOAEP
        case .x25519: return .hpkeX25519
        case .ed25519: throw .wrongKind(path: path, had: .ed25519, purpose: "encrypt")
        }
    }

    /// A session key that only the owner of this key can unwrap.
    ///
    /// - Throws: `KeyError.wrongKind` for a key that only signs.
    package func wrap(_ sessionKey: SymmetricKey) throws(KeyError) -> [UInt8] {
        _ = try wrapping()
        do {
            return try sessionKey.withUnsafeBytes { bytes in
                switch material {
                case .rsa(let key):
                    let encryption = try _RSA.Encryption.PublicKey(
                        unsafeDERRepresentation: key.derRepresentation)
                    return [UInt8](try encryption.encrypt(bytes, padding: .PKCS1_OAEP_SHA256))
                case .x25519(let key):
                    var sender = try HPKE.Sender(
                        recipientKey: key, ciphersuite: .Curve25519_SHA256_ChachaPoly,
                        info: KeyWrapping.information)
                    return [UInt8](sender.encapsulatedKey) + [UInt8](try sender.seal(bytes))
                case .ed25519: return []
                }
            }
        } catch {
            throw .operationFailed("wrapping the session key")
        }
    }

    /// What PvaPy does with a session key: RSA with PKCS #1 v1.5 (RFC 8017 §7.2).
    ///
    /// - Throws: `KeyError.wrongKind` for a key that is not RSA.
    package func wrapOldStyle(_ sessionKey: [UInt8]) throws(KeyError) -> [UInt8] {
        guard case .rsa(let key) = material else {
            throw .wrongKind(path: path, had: kind, purpose: "encrypt for PvaPy")
        }
        do {
            let encryption = try _RSA.Encryption.PublicKey(
                unsafeDERRepresentation: key.derRepresentation)
            return [UInt8](
                try encryption.encrypt(sessionKey, padding: ._WEAK_AND_INSECURE_PKCS_V1_5))
        } catch {
            throw .operationFailed("wrapping the session key")
        }
    }
}

/// A key that can unwrap, prepared once for many frames; used by one thread.
package struct UnwrappingKey {
    private enum Material {
        case rsa(_RSA.Encryption.PrivateKey)
        case x25519(Curve25519.KeyAgreement.PrivateKey)
    }

    private let material: Material
    /// The id of the key.
    package let id: [UInt8]

    /// The key as one that unwraps.
    ///
    /// - Throws: `KeyError.wrongKind` for a key that only signs.
    package init(_ key: PrivateKey) throws(KeyError) {
        id = key.publicKey.id
        switch key.material {
        case .ed25519: throw .wrongKind(path: key.path, had: .ed25519, purpose: "decrypt")
        case .x25519(let agreement): material = .x25519(agreement)
        case .rsa(let rsa):
            do {
                material = .rsa(
                    try _RSA.Encryption.PrivateKey(unsafeDERRepresentation: rsa.derRepresentation))
            } catch {
                throw .operationFailed("using \(key.path) for decryption")
            }
        }
    }

    /// The session key in `bytes`.
    ///
    /// - Throws: `KeyError.notForThisKey` when it was wrapped for another key, in another way, or
    ///   changed.
    package func unwrap(
        _ bytes: [UInt8], _ wrapping: KeyWrapping
    ) throws(KeyError) -> SymmetricKey {
        do {
            switch (material, wrapping) {
            case (.rsa(let key), .rsaOAEP):
                return SymmetricKey(data: try key.decrypt(bytes, padding: .PKCS1_OAEP_SHA256))
            case (.x25519(let key), .hpkeX25519):
                let split = KeyWrapping.agreementByteCount
                guard bytes.count > split else { throw KeyError.notForThisKey }
                var recipient = try HPKE.Recipient(
                    privateKey: key, ciphersuite: .Curve25519_SHA256_ChachaPoly,
                    info: KeyWrapping.information, encapsulatedKey: Data(bytes[..<split]))
                return SymmetricKey(data: try recipient.open(bytes[split...]))
            case (.rsa, .hpkeX25519), (.x25519, .rsaOAEP): throw KeyError.notForThisKey
            }
        } catch {
            throw .notForThisKey
        }
    }

    /// The session key that PvaPy wrapped with RSA and PKCS #1 v1.5.
    ///
    /// - Throws: `KeyError.notForThisKey`, whatever was wrong: which of the checks failed is what an
    ///   attacker would want to know (D. Bleichenbacher, 1998).
    package func unwrapOldStyle(_ bytes: [UInt8]) throws(KeyError) -> [UInt8] {
        guard case .rsa(let key) = material else { throw .notForThisKey }
        do {
            return [UInt8](try key.decrypt(bytes, padding: ._WEAK_AND_INSECURE_PKCS_V1_5))
        } catch {
            throw .notForThisKey
        }
    }
}
