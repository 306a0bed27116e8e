import Foundation

/// Runs `body` with the path of a new folder, which is removed afterwards with all that is in it.
public func withTemporaryFolder<T>(
  isolation: isolated (any Actor)? = #isolation, _ body: (_ folder: String) async throws -> T
) async throws -> T {
  var template = Array((NSTemporaryDirectory() + "/tickwal-test-XXXXXX").utf8CString)
  guard mkdtemp(&template) != nil else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
  let folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  let result: Result<T, any Error>
  do {
    result = .success(try await body(folder))
  } catch {
    result = .failure(error)
  }
  try FileManager.default.removeItem(atPath: folder)
  return try result.get()
}
