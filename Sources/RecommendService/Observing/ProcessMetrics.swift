import Glibc
import PrometheusText

/// The `process_*` metrics that every Prometheus client library exports, read from /proc when asked.
///
/// https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
enum ProcessMetrics {
    static func add(to exposition: inout Exposition) {
        var usage = rusage()
        // SAFETY: getrusage fills the struct that it is given.
        if unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            exposition.add(
                "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", .counter,
                value: seconds(usage.ru_utime) + seconds(usage.ru_stime))
        }
        let page = Double(sysconf(Int32(_SC_PAGESIZE)))
        let memory = readSmallFile("/proc/self/statm").split(separator: " ").compactMap { Double($0) }
        if memory.count >= 3 {
            exposition.add(
                "process_virtual_memory_bytes", "Virtual memory size in bytes.", .gauge, value: memory[0] * page)
            exposition.add(
                "process_resident_memory_bytes", "Resident memory size in bytes.", .gauge, value: memory[1] * page)
        }
        if let startTime {
            exposition.add(
                "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", .gauge,
                value: startTime)
        }
        if let open = openFileDescriptors() {
            exposition.add("process_open_fds", "Number of open file descriptors.", .gauge, value: Double(open))
        }
        var limit = rlimit()
        // SAFETY: getrlimit fills the struct that it is given.
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            exposition.add(
                "process_max_fds", "Maximum number of open file descriptors.", .gauge, value: Double(limit.rlim_cur))
        }
    }

    /// Boot time plus the ticks after boot at which this process started (proc(5), field 22 of /proc/self/stat).
    private static let startTime: Double? = {
        let stat = readSmallFile("/proc/self/stat")
        // The command name stands in parentheses and may hold anything, spaces too: count from its end.
        guard let nameEnd = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: nameEnd)...].split(separator: " ")
        let boot = readSmallFile("/proc/stat").split(separator: "\n").first { $0.hasPrefix("btime ") }
        guard fields.count > 19, let ticks = Double(fields[19]), let boot, let bootSeconds = Double(boot.dropFirst(6))
        else { return nil }
        return bootSeconds + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }()

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }

    private static func openFileDescriptors() -> Int? {
        // Linux 6.2 and later say how many entries the directory has: reading ten thousand of them takes milliseconds.
        var status = stat()
        // SAFETY: the path is lent as a NUL-terminated string for the call, which fills the struct.
        if unsafe stat("/proc/self/fd", &status) == 0, status.st_size > 0 { return Int(status.st_size) }
        // SAFETY: opendir's handle is used and closed here only.
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe _ = closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        return count - 3  // ".", ".." and the directory itself.
    }

    /// The first 64 KiB of a file of /proc, or nothing when it cannot be read.
    private static func readSmallFile(_ path: String) -> String {
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        var held = 0
        while held < bytes.count {
            // SAFETY: reads at most as many bytes as the array has behind `held`.
            let got = unsafe bytes.withUnsafeMutableBytes { room in
                unsafe read(file, room.baseAddress.map { unsafe $0 + held }, room.count - held)
            }
            guard got > 0 else { break }
            held += got
        }
        return String(decoding: bytes[..<held], as: UTF8.self)
    }
}
