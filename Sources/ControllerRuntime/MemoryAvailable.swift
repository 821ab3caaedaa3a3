internal import Glibc
internal import Pipes

/// What the machine, or the control group that this process is in, can still give.
struct MemoryAvailable: Equatable {
    /// Bytes.
    var byteCount: Int
    /// Who sets the limit: `the machine`, `the control group /x`.
    var reason: String

    /// What there is now; nil where the system does not say.
    static func now() -> MemoryAvailable? {
        var least = machine(text("/proc/meminfo") ?? "")
        // Version 2 only: one hierarchy, and every group on the way up may have a limit (cgroups(7)).
        var group =
            (text("/proc/self/cgroup") ?? "").split(separator: "\n")
            .first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) } ?? ""
        while true {
            let folder = "/sys/fs/cgroup" + (group == "/" ? "" : group)
            if let most = text(folder + "/memory.max").flatMap(number),
                let used = text(folder + "/memory.current").flatMap(number)
            {
                // Cached files of the group go when somebody needs the memory.
                let cached = field("inactive_file", of: text(folder + "/memory.stat") ?? "") ?? 0
                let free = max(0, most - used + cached)
                if free < least?.byteCount ?? .max {
                    least = MemoryAvailable(
                        byteCount: free, reason: "the control group \(group.isEmpty ? "/" : group)")
                }
            }
            guard let slash = group.lastIndex(of: "/"), group.count > 1 else { return least }
            group = String(group[..<slash])
        }
    }

    /// What `/proc/meminfo` says; nil where it says nothing.
    static func machine(_ text: String) -> MemoryAvailable? {
        guard let free = field("MemAvailable:", of: text) else { return nil }
        let swap = field("SwapFree:", of: text) ?? 0
        return MemoryAvailable(byteCount: (free + swap) << 10, reason: "the machine")
    }

    private static func field(_ name: String, of text: String) -> Int? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count > 1, words[0] == name { return Int(words[1]) }
        }
        return nil
    }

    private static func number(_ text: String) -> Int? {
        Int(text.split(separator: "\n").first ?? "")
    }

    private static func text(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        let descriptor = OwnedDescriptor(owning: file)
        // These files are a few KiB; what is longer is cut.
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes {
                read(descriptor.rawValue, $0.baseAddress.map { $0 + count }, $0.count - count)
            }
            if more <= 0 { break }
            count += more
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
