import Glibc

/// CPU time, memory and switches of this process and its children, from the kernel.
struct ProcessMeter {
    /// What one process had used at a moment.
    struct Usage {
        /// CPU seconds, user and system.
        var cpuSeconds = 0.0
        /// Times that a thread waited for something.
        var switches = 0.0
    }

    /// Usage of all processes at a moment.
    struct Reading {
        var controller = Usage()
        var workers = Usage()
        /// CPU seconds by name of the thread, of this process.
        var threads: [String: Double] = [:]
    }

    /// Private bytes (RssAnon and VmSwap), and bytes of shared memory that this process has touched.
    struct Memory {
        var controller = 0
        var workers = 0
        var pool = 0

        /// The larger of each.
        mutating func formMaximum(_ other: Memory) {
            controller = max(controller, other.controller)
            workers = max(workers, other.workers)
            pool = max(pool, other.pool)
        }
    }

    private let children: [pid_t]

    /// A meter of this process and of the children that it has now.
    init() {
        children = names(in: "/proc").compactMap { pid_t($0) }.filter { process in
            // After the name in brackets: state, then the parent (proc(5)).
            let text = contents(of: "/proc/\(process)/stat")
            let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 1 && pid_t(fields[1]) == getpid()
        }
    }

    /// What has been used so far.
    func reading() -> Reading {
        var reading = Reading(
            controller: usage(of: getpid()),
            workers: children.map(usage).reduce(into: Usage()) { sum, one in
                sum.cpuSeconds += one.cpuSeconds
                sum.switches += one.switches
            })
        for thread in names(in: "/proc/self/task") {
            let name = contents(of: "/proc/self/task/\(thread)/comm").filter { $0 != "\n" }
            let text = contents(of: "/proc/self/task/\(thread)/schedstat")
            let nanoseconds = text.split(separator: " ").first.flatMap { Double($0) } ?? 0
            reading.threads[name, default: 0] += nanoseconds * 1e-9
        }
        return reading
    }

    /// What is in use now.
    func memory() -> Memory {
        Memory(
            controller: privateBytes(of: getpid()),
            workers: children.map(privateBytes).reduce(0, +),
            pool: status("RssShmem", of: contents(of: "/proc/self/status")))
    }

    private func usage(of process: pid_t) -> Usage {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(process, &clock) == 0, clock_gettime(clock, &time) == 0 else {
            return Usage()
        }
        var usage = Usage(cpuSeconds: Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9)
        for thread in names(in: "/proc/\(process)/task") {
            let text = contents(of: "/proc/\(process)/task/\(thread)/status")
            usage.switches += Double(number("voluntary_ctxt_switches", in: text))
        }
        return usage
    }

    private func privateBytes(of process: pid_t) -> Int {
        let text = contents(of: "/proc/\(process)/status")
        return status("RssAnon", of: text) + status("VmSwap", of: text)
    }

    private func status(_ field: String, of text: String) -> Int { number(field, in: text) * 1024 }

    private func number(_ field: String, in text: String) -> Int {
        for line in text.split(separator: "\n") where line.hasPrefix(field + ":") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            return words.count > 1 ? Int(words[1]) ?? 0 : 0
        }
        return 0
    }
}

/// The text of a small file of /proc, empty when it has gone.
private func contents(of path: String) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 14) { buffer, count in
        count = max(0, read(file, buffer.baseAddress, buffer.count))
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// The names in a folder, without those that begin with a dot.
private func names(in path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names
}

/// Nanoseconds of the machine's monotonic clock.
func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Lets other threads work for a while.
func pause(milliseconds: Int) { usleep(UInt32(milliseconds) * 1000) }
