import Glibc

/// Writes what became of each input to a file, for another program to look at: its parts in hex.
final class Sample {
  /// Where the variable FUZZ_SAMPLE says so; libFuzzer calls from one thread.
  nonisolated(unsafe) static let shared = getenv("FUZZ_SAMPLE").map { Sample(path: $0) }

  private let file: UnsafeMutablePointer<FILE>?

  private init(path: UnsafePointer<CChar>) {
    file = fopen(path, "w")
    precondition(file != nil, "cannot write the sample")
  }

  /// One line.
  func add(_ parts: [[UInt8]]) {
    let line =
      parts.map { $0.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }.joined(
        separator: " ") + "\n"
    precondition(fputs(line, file) >= 0 && fflush(file) == 0, "cannot write the sample")
  }
}
