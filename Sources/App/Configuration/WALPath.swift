import Base
import Glibc

/// The log's file, by path. Checked in two steps: its form when settings are read, its folder where the log
/// is opened, because only then does it matter.
struct WALPath: Sendable, Equatable, CustomStringConvertible {
  let text: String

  var description: String { text }

  /// The folder that holds the file.
  var folder: String { Folder.parent(of: text) }

  /// Says why the log cannot be made or opened for writing here.
  /// - Throws: `BadSettings` naming `WAL_PATH`.
  func checkWritable() throws(BadSettings) {
    if let reason = FileProblem.folder(folder) {
      if FileProblem.isReadOnly(folder) {
        throw problem(
          "read-only file system",
          "a file that can be written; mount it for writing, or only read it: `status`, `verify`, `replay` and "
            + "`reconcile` can")
      }
      throw problem("its folder: \(reason)", "a file in a folder that exists and is writable")
    }
    if let reason = FileProblem.existing(text, access: R_OK | W_OK) {
      throw problem(reason, "a regular file that can be read and written")
    }
  }

  /// Says why there is no log to read here.
  /// - Throws: `BadSettings` naming `WAL_PATH`.
  func checkReadable() throws(BadSettings) {
    if let reason = FileProblem.file(text) { throw problem(reason, "an existing log") }
  }

  /// The place that a relative path means, so that a start in another folder is noticed.
  private var place: String { text.first == "/" ? "" : ", looked for as \(Text.oneLine(absolute))" }

  /// From the root of the file system.
  var absolute: String {
    guard text.first != "/", let folder = getcwd(nil, 0) else { return text }
    defer { free(folder) }
    return String(cString: folder) + "/" + (text.hasPrefix("./") ? String(text.dropFirst(2)) : text)
  }

  private func problem(_ reason: String, _ allowed: String) -> BadSettings {
    BadSettings(problems: [
      .init(name: "WAL_PATH", value: Text.oneLine(text), allowed: allowed, reason: reason + place)
    ])
  }
}

/// Why a path cannot be used; nil where it can.
enum FileProblem {
  static func folder(_ path: String) -> String? {
    var status = stat()
    guard stat(path, &status) == 0 else { return SystemError.lastText }
    guard status.st_mode & S_IFMT == S_IFDIR else { return "not a folder" }
    return access(path, W_OK | X_OK) == 0 ? nil : SystemError.lastText
  }

  /// Whether a folder lies where nothing can be written by anybody.
  static func isReadOnly(_ folder: String) -> Bool { access(folder, W_OK) != 0 && errno == EROFS }

  /// A regular file that can be read.
  static func file(_ path: String) -> String? {
    var status = stat()
    guard stat(path, &status) == 0 else { return SystemError.lastText }
    return existing(path, access: R_OK)
  }

  /// Nothing at the path is no problem.
  static func existing(_ path: String, access mode: Int32) -> String? {
    var status = stat()
    guard stat(path, &status) == 0 else { return errno == ENOENT ? nil : SystemError.lastText }
    guard status.st_mode & S_IFMT == S_IFREG else { return "not a regular file" }
    return access(path, mode) == 0 ? nil : SystemError.lastText
  }
}

extension Rule where Value == WALPath {
  static var walPath: Rule {
    Rule(
      allowed: "the path of a file", placeholder: "file",
      parse: { text throws(BadText) in
        if text.contains("\0") { throw BadText("it has a NUL") }
        if text.hasSuffix("/") { throw BadText("it ends in a slash") }
        // SQLite would keep such a database in memory.
        if text == ":memory:" { throw BadText("a log in memory would lose its ticks") }
        return WALPath(text: text)
      })
  }
}

extension Rule where Value == String {
  static var readableFile: Rule {
    Rule(
      allowed: "the path of a readable file", placeholder: "file",
      parse: { text throws(BadText) in
        if let reason = FileProblem.file(text) { throw BadText(reason) }
        return text
      })
  }
}
