import Glibc

/// The time since the machine was started, on a clock that nobody sets.
package struct Uptime: Sendable, Equatable {
  /// The start of the machine that it counts from; empty if the system does not say.
  package var boot: String
  package var microseconds: Int64

  package init(boot: String, microseconds: Int64) {
    self.boot = boot
    self.microseconds = microseconds
  }

  /// Time asleep counts.
  ///
  /// Reference: https://man7.org/linux/man-pages/man2/clock_gettime.2.html (CLOCK_BOOTTIME)
  package static func now() -> Uptime {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Uptime(
      boot: thisBoot, microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
  }

  /// Reference: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html (random/boot_id)
  private static let thisBoot: String = {
    let descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &buffer, buffer.count)
    return String(decoding: buffer[..<max(0, count)].prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self)
  }()
}
