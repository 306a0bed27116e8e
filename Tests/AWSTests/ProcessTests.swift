import Foundation
import TestSupport
import Testing

@testable import AWS

@Suite(.timeLimit(.minutes(3))) struct ProcessTests {
  @Test(arguments: [
    ("a b  c", ["a", "b", "c"]), (#""a b" 'c "d"' e\ f"#, ["a b", #"c "d""#, "e f"]),
    (#"a"b"'c'd"#, ["abcd"]), (#""a\"b\\c\d""#, [#"a"b\c\d"#]), (#"'a\b'"#, [#"a\b"#]),
    (#"a "" b"#, ["a", "", "b"]),
    ("", []), ("  ", []), ("$HOME;x|y", ["$HOME;x|y"]), ("tab\tnew\nline", ["tab", "new", "line"]),
    ("\"open", nil), ("'open", nil), ("end\\", nil), ("é 'ü'", ["é", "ü"]),
  ])
  func `a command is split as a shell would`(command: String, words: [String]?) {
    #expect(CommandWords.split(command) == words)
  }

  private func keys(_ script: String, limit: Duration = .seconds(30)) async throws -> Credentials {
    try await withTemporaryFolder { folder in
      let path = folder + "/keys of mine"
      try script.write(toFile: path, atomically: true, encoding: .utf8)
      var provider = ProcessCredentials(
        command: "/bin/sh '\(path)' \"one two\"", environment: ["GIVEN": "yes"], source: "profile p")
      provider.limit = limit
      return try await provider.credentials()
    }
  }

  private func failure(
    _ script: String, limit: Duration = .seconds(30), _ location: SourceLocation = #_sourceLocation
  ) async -> CredentialError? {
    await #expect(throws: CredentialError.self, sourceLocation: location) {
      _ = try await keys(script, limit: limit)
    }
  }

  @Test func `a program prints keys`() async throws {
    let keys = try await keys(
      #"""
      echo '{"Version":1,"AccessKeyId":"'$1'","SecretAccessKey":"s","SessionToken":"'$GIVEN$HOME'",'
      echo '"Expiration":"1994-11-06T09:49:37Z"}'; echo hush >&2
      """#.replacing("$1", with: "$(echo $1 | tr -d ' ')"))
    #expect(keys.accessKeyID == "onetwo")
    #expect(keys.sessionToken == "yes")
    #expect(keys.expiration == 784_115_377)
    #expect(keys.source == "profile p, credential_process /bin/sh")
  }

  @Test(arguments: [
    ("echo hush; echo hush >&2; exit 3", "ended with status 3"), ("echo hush", "not the JSON"),
    (#"echo '{"Version":2,"AccessKeyId":"hush","SecretAccessKey":"hush"}'"#, "version other than 1"),
    (#"echo '{"Version":1}'"#, "without keys"), ("kill -9 $$", "signal 9"),
    ("while :; do echo hushhushhushhush; done", "printed too much"),
  ])
  func `a program that fails is told without its words`(script: String, words: String) async {
    let error = await failure(script)
    #expect(error?.code == .unavailable)
    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    #expect(error?.description.contains("hush") == false)
  }

  @Test(arguments: ["sleep 1000", "sleep 1000 & exec >&-; sleep 1000"])
  func `a program that does not end is ended, with what it started`(script: String) async {
    let error = await failure(script, limit: .milliseconds(200))
    #expect(error?.description.contains("took too long") == true)
  }

  @Test(arguments: [
    // It prints keys and ends; it prints too much; it does not end; it does not end, and its output is closed.
    "sleep 1000 >/dev/null 2>&1 & echo $! > PIDS; echo '{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\"}'",
    "sleep 1000 & echo $! > PIDS; yes", "sleep 1000 & echo $! > PIDS; sleep 1000",
    "sleep 1000 >/dev/null 2>&1 & echo $! > PIDS; exec >&-; wait",
  ])
  func `what a program has started is not left behind`(script: String) async throws {
    try await withTemporaryFolder { folder in
      let provider = ProcessCredentials(
        command:
          "/bin/sh -c '\(script.replacing("PIDS", with: folder + "/pid").replacing("'", with: #"'\''"#))'",
        environment: ["PATH": "/usr/bin:/bin"], source: "profile p", limit: .seconds(2))
      _ = try? await provider.credentials()
      let text = try String(contentsOfFile: folder + "/pid", encoding: .utf8)
      let pid = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
      // Killed before the answer came; whoever reaps it may take a moment.
      let isGone = try await eventually { kill(pid, 0) != 0 || Self.isZombie(pid) }
      #expect(isGone)
    }
  }

  private static func isZombie(_ pid: pid_t) -> Bool {
    let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
    return status?.contains(") Z ") ?? true
  }

  @Test func `cancelling ends the program`() async throws {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await #expect(throws: CancellationError.self) {
          _ = try await keys("sleep 1000", limit: .seconds(1_000))
        }
      }
      group.cancelAll()
    }
  }

  @Test func `a program that is not there is told`() async {
    let provider = ProcessCredentials(command: "/nowhere/x --y", environment: [:], source: "profile p")
    let error = await #expect(throws: CredentialError.self) { _ = try await provider.credentials() }
    #expect(error?.description.contains("/nowhere/x: cannot be run: No such file") == true)
    let open = ProcessCredentials(command: "'x", environment: [:], source: "profile p")
    let other = await #expect(throws: CredentialError.self) { _ = try await open.credentials() }
    #expect(other?.code == .incomplete)
  }

  @Test func `a program inherits no open file`() async throws {
    let file = open("/dev/zero", O_RDONLY)
    defer { close(file) }
    let output = try await ChildProcess.output(
      of: ["/bin/sh", "-c", "ls /proc/self/fd | wc -l"], environment: ["PATH": "/usr/bin:/bin"],
      limit: .seconds(30), maximumBytes: 1_000)
    // 0, 1, 2 and the folder that ls reads.
    #expect(String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines) == "4")
  }
}
