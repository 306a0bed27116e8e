import Base
import FoundationEssentials
import Glibc
import Logging
import Observe

/// The metrics of the process itself, as the system tells them.
enum ProcessSamples {
  /// - Parameter console: where messages go.
  static func all(console: Console = .standardError) -> [MetricSample] {
    system + messages(console) + [MetricSample("build_info", [TickwalVersion.text], 1)]
  }

  private static func messages(_ console: Console) -> [MetricSample] {
    var samples = Logger.Level.allCases.map { level in
      MetricSample("logging_messages_total", [level.rawValue], Double(MessageCounts.shared[level]))
    }
    samples.append(MetricSample("logging_messages_dropped_total", Double(console.droppedLines)))
    return samples
  }

  /// Reference: proc(5), /proc/self/stat.
  private static var system: [MetricSample] {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var samples: [MetricSample] = [
      .init("process_cpu_seconds_total", seconds(usage.ru_utime) + seconds(usage.ru_stime)),
      .init("process_max_fds", limit.rlim_cur > 1 << 52 ? .infinity : Double(limit.rlim_cur)),
    ]
    if let files = openFiles { samples.append(.init("process_open_fds", Double(files))) }
    // After the name, which may hold anything: state is the first.
    guard let stat = text("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return samples }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    guard fields.count > 21 else { return samples }
    let number = { (index: Int) in Double(fields[index]) ?? 0 }
    samples += [
      .init("process_threads", number(17)),
      .init("process_virtual_memory_bytes", number(20)),
      .init("process_resident_memory_bytes", number(21) * Double(sysconf(Int32(_SC_PAGESIZE)))),
    ]
    if let boot = text("/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
      let start = Double(boot.dropFirst(6))
    {
      let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
      samples.append(.init("process_start_time_seconds", start + number(19) / ticks))
    }
    return samples
  }

  private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

  private static func text(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    return String(decoding: data, as: UTF8.self)
  }

  /// The one that counts them is not counted.
  private static var openFiles: Int? {
    guard let folder = opendir("/proc/self/fd") else { return nil }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    return count - 3
  }
}

/// The version of this program.
enum TickwalVersion {
  static let text = "0.1.0"
}
