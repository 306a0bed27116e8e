import Foundation

public struct ProgramResult: Sendable, Equatable {
  public let status: Int32
  public let output: String
  public let errors: String
}

/// Runs a program to its end with an environment of nothing but a PATH.
///
/// Not with Foundation's `Process`: that waits by `select`, which never returns once the tests that run at the same
/// time have a thousand files open.
public func runProgram(_ name: String, _ arguments: [String]) throws -> ProgramResult {
  try withOutputFiles { output, errors in
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_TRUNC, 0)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_TRUNC, 0)
    let words = (["env", name] + arguments).map(copy)
    let variables = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C.UTF-8"].map(copy)
    defer { for text in words + variables { free(text) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, "/usr/bin/env", &actions, nil, words + [nil], variables + [nil])
    guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO) }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
      guard errno == EINTR else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }
    // As a shell says it: the status, or 128 and the signal.
    let isExit = status & 0x7F == 0
    return ProgramResult(
      status: isExit ? status >> 8 & 0xFF : 128 + (status & 0x7F), output: try text(of: output),
      errors: try text(of: errors))
  }
}

private func withOutputFiles<T>(_ body: (_ output: String, _ errors: String) throws -> T) throws -> T {
  let paths = [0, 1].map { _ in
    FileManager.default.temporaryDirectory.appendingPathComponent("tickwal-\(UUID().uuidString)").path
  }
  defer { for path in paths { unlink(path) } }
  for path in paths { try Data().write(to: URL(fileURLWithPath: path)) }
  return try body(paths[0], paths[1])
}

private func copy(_ text: String) -> UnsafeMutablePointer<CChar>? { strdup(text) }

private func text(of path: String) throws -> String {
  String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
}
