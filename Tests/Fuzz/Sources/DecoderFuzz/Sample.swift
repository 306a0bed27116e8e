import Glibc

/// Writes what became of each input to a file, for another program to look at: stream, payload and row in hex.
final class Sample {
  /// Where the variable FUZZ_SAMPLE says so.
  nonisolated(unsafe) static let shared = getenv("FUZZ_SAMPLE").map { Sample(path: $0) }

  private let file: UnsafeMutablePointer<FILE>?

  private init(path: UnsafePointer<CChar>) {
    file = fopen(path, "w")
    expect(file != nil, "cannot write the sample")
  }

  func add(
    stream: UnsafeBufferPointer<UInt8>, payload: UnsafeBufferPointer<UInt8>, row: UnsafeBufferPointer<UInt8>
  ) {
    for (text, end) in [(stream, " "), (payload, " "), (row, "\n")] {
      for byte in text {
        expect(
          fputs(byte < 16 ? "0" : "", file) >= 0 && fputs(String(byte, radix: 16), file) >= 0,
          "cannot write the sample")
      }
      expect(fputs(end, file) >= 0, "cannot write the sample")
    }
    expect(fflush(file) == 0, "cannot write the sample")
  }
}
