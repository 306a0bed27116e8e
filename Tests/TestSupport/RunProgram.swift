import Foundation

public struct ProgramResult: Sendable, Equatable {
  public let status: Int32
  public let output: String
  public let errors: String
}

/// Runs a program to its end with an environment of nothing but a PATH.
public func runProgram(_ name: String, _ arguments: [String]) throws -> ProgramResult {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [name] + arguments
  process.environment = ["PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"]
  let output = Pipe()
  // Errors go through a file, so that one pipe can be read to its end without the other filling up.
  let errors = FileManager.default.temporaryDirectory.appendingPathComponent("tickwal-\(UUID().uuidString)")
  try Data().write(to: errors)
  defer { unlink(errors.path) }
  let errorHandle = try FileHandle(forWritingTo: errors)
  process.standardInput = FileHandle.nullDevice
  process.standardOutput = output
  process.standardError = errorHandle
  try process.run()
  let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
  process.waitUntilExit()
  try errorHandle.close()
  return ProgramResult(
    status: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self),
    errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
}
