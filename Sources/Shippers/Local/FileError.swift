import Glibc

/// A system call on a file failed.
struct FileError: Error, CustomStringConvertible {
  let doing: String
  let path: String
  let code: Int32

  /// Takes `errno`, so it must be made right after the call.
  static func last(_ doing: String, _ path: String) -> FileError {
    FileError(doing: doing, path: path, code: errno)
  }

  var description: String { "\(doing) \(path): \(String(cString: strerror(code)))" }
}
