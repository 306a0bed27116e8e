import Glibc

/// Folders, as far as durability needs them: a name is on the disk only when its folder is synced.
package enum Folder {
  /// Makes the entries of a folder durable.
  package static func sync(_ path: String) throws(SystemError) {
    let folder = try FileDescriptor(opening: path, O_RDONLY | O_DIRECTORY, doing: "opening the folder")
    try folder.sync(doing: "syncing the folder")
  }

  /// The folder that a path lies in; `.` for a bare name.
  package static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
