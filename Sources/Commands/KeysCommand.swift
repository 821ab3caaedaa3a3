internal import ArgumentParser
internal import Foundation
internal import Keys

/// `sluice keys`.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make and look at the keys of encrypted frames.",
        subcommands: [
            GenerateKeyCommand.self, PublicKeyCommand.self, ShowKeyCommand.self,
        ])
}

/// What a passphrase is read from.
struct PassphraseOption: ParsableArguments {
    @Option(
        name: .customLong("passphrase-file"),
        help: ArgumentHelp(
            "File whose first line is the passphrase of the private key.", valueName: "file"),
        completion: .file())
    var path: String?

    func passphrase() throws(KeyError) -> Passphrase? {
        guard let path else { return nil }
        return try Passphrase(path: path)
    }
}

/// A kind of key as it is named on the command line.
@Sendable private func keyKind(_ text: String) throws -> KeyKind {
    guard let kind = KeyKind(rawValue: text) else {
        throw ValidationError(
            "there is no kind of key '\(text)'; there are "
                + KeyKind.allCases.map(\.rawValue).joined(separator: ", "))
    }
    return kind
}

/// `sluice keys generate`.
struct GenerateKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Make a private key, and beside it the public key to give away.",
        discussion: """
            x25519 encrypts and ed25519 signs; rsa does both, and is what PvaPy reads. The private key \
            is readable by its owner only; existing files are never replaced.
            """)

    @Option(
        help: ArgumentHelp("x25519, ed25519 or rsa.", valueName: "kind"), transform: keyKind)
    var type = KeyKind.x25519

    @Option(help: ArgumentHelp("Bits of an RSA key, 3072 unless told.", valueName: "count"))
    var bits: Int?

    @OptionGroup var passphrase: PassphraseOption

    @Argument(
        help: ArgumentHelp(
            "File for the private key; the public one gets .pub behind it.", valueName: "file"),
        completion: .file())
    var path: String

    func validate() throws {
        guard bits == nil || type == .rsa else {
            throw ValidationError("--bits is for RSA keys; add --type rsa or leave it out")
        }
    }

    func run() throws {
        let publicPath = path + ".pub"
        guard !FileManager.default.fileExists(atPath: publicPath) else {
            throw CommandError("\(publicPath) exists; choose another name, or move it away")
        }
        try reporting { () throws(KeyError) in
            let passphrase = try passphrase.passphrase()
            let key = try PrivateKey(generating: type, bitCount: bits ?? 3072)
            try key.write(to: path, passphrase: passphrase)
            try key.publicKey.write(to: publicPath)
            Output.line("\(path): private key, keep it secret")
            Output.line("\(publicPath): public key \(key.publicKey.idText), give it away")
        }
    }
}

/// `sluice keys public`.
struct PublicKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "public", abstract: "Write the public half of a private key as PEM.")

    @OptionGroup var passphrase: PassphraseOption

    @Argument(
        help: ArgumentHelp("File of the private key.", valueName: "file"), completion: .file())
    var path: String

    func run() throws {
        try reporting { () throws(KeyError) in
            let key = try PrivateKey(
                path: path, passphrase: try passphrase.passphrase(),
                minimumBitCount: PrivateKey.minimumBitCountOfOldKeys)
            Output.line(String(key.publicKey.pemText.dropLast()))
        }
    }
}

/// `sluice keys show`.
struct ShowKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Say what keys are: kind, size, id; nothing that is secret.")

    @Option(help: "table or json.")
    var format = OutputFormat.table

    @OptionGroup var passphrase: PassphraseOption

    @Argument(
        help: ArgumentHelp("Files of private or public keys.", valueName: "file"),
        completion: .file())
    var paths: [String]

    /// One key in JSON.
    struct Entry: Encodable {
        var path: String
        var kind: String
        var bits: Int?
        var id: String
        var isPrivate: Bool
    }

    func run() throws {
        let entries = try paths.map { path in
            try reporting { () throws(KeyError) in try entry(path) }
        }
        switch format {
        case .json: Output.line(try JSONText.of(entries))
        case .table:
            var table = TextTable([
                ("key", .left), ("kind", .left), ("bits", .right), ("id", .left),
                ("file", .left),
            ])
            for entry in entries {
                table.add([
                    entry.isPrivate ? "private" : "public", entry.kind,
                    entry.bits.map(String.init) ?? "-", entry.id, entry.path,
                ])
            }
            Output.lines(table.lines())
        }
    }

    private func entry(_ path: String) throws(KeyError) -> Entry {
        let minimum = PrivateKey.minimumBitCountOfOldKeys
        let (key, isPrivate): (PublicKey, Bool)
        if try PublicKey.isPrivate(path: path) {
            let whole = try PrivateKey(
                path: path, passphrase: try passphrase.passphrase(), minimumBitCount: minimum)
            (key, isPrivate) = (whole.publicKey, true)
        } else {
            (key, isPrivate) = (try PublicKey(path: path, minimumBitCount: minimum), false)
        }
        return Entry(
            path: path, kind: key.kind.rawValue, bits: key.bitCount, id: key.idText,
            isPrivate: isPrivate)
    }
}

/// Runs `body`, which has keys in memory; its key errors are those of the command.
private func reporting<Result>(_ body: () throws(KeyError) -> Result) throws -> Result {
    guard ProcessMemory.protect() else {
        throw CommandError("core dumps can't be turned off, which would hold keys")
    }
    do throws(KeyError) {
        return try body()
    } catch {
        throw CommandError(error.description)
    }
}
