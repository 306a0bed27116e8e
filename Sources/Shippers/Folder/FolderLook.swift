import Base
import Glibc

/// The looks that `doctor` takes at what is in a folder on this machine.
enum FolderLook {
  /// - Parameters:
  ///   - name: of the finding.
  ///   - path: absolute; what is not there yet needs a folder that it can be made in.
  static func finding(_ name: String, _ path: String, isFolder: Bool) -> DoctorFinding {
    var status = stat()
    guard stat(path, &status) == 0 else {
      let reason = errno == ENOENT ? trouble(Folder.parent(of: path), isFolder: true) : SystemError.lastText
      guard let reason else { return .ok(name, "\(path) is not there yet; run makes it") }
      return failed(name, path, reason)
    }
    let isRight = status.st_mode & S_IFMT == (isFolder ? S_IFDIR : S_IFREG)
    if !isRight { return failed(name, path, isFolder ? "not a folder" : "not a regular file") }
    if let reason = trouble(path, isFolder: isFolder) { return failed(name, path, reason) }
    return .ok(name, "\(path) can be read and written")
  }

  private static func failed(_ name: String, _ path: String, _ reason: String) -> DoctorFinding {
    .failed(name, "\(path): \(reason)", "correct --local, or the rights on the folder")
  }

  private static func trouble(_ path: String, isFolder: Bool) -> String? {
    access(path, R_OK | W_OK | (isFolder ? X_OK : 0)) == 0 ? nil : SystemError.lastText
  }
}
