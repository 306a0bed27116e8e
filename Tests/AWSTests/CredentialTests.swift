import Foundation
import Synchronization
import Testing

@testable import AWS

@Suite struct CredentialTests {
  /// A folder with the two files, gone with the test.
  private func withFiles(
    credentials: String?, config: String? = nil, _ test: ([String: String], URL) async throws -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "aws-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer {
      do { try FileManager.default.removeItem(at: folder) } catch { Issue.record("\(error)") }
    }
    let environment = [
      "AWS_SHARED_CREDENTIALS_FILE": folder.appending(path: "c").path,
      "AWS_CONFIG_FILE": folder.appending(path: "f").path,
    ]
    try credentials?.write(to: folder.appending(path: "c"), atomically: true, encoding: .utf8)
    try config?.write(to: folder.appending(path: "f"), atomically: true, encoding: .utf8)
    try await test(environment, folder)
  }

  private func failure(
    profile: String? = nil, _ environment: [String: String], _ location: SourceLocation = #_sourceLocation
  ) async -> CredentialError? {
    await #expect(throws: CredentialError.self, sourceLocation: location) {
      _ = try await CredentialChain.standard(profile: profile, environment: environment).credentials()
    }
  }

  private func keys(profile: String? = nil, _ environment: [String: String]) async throws -> Credentials {
    try await CredentialChain.standard(profile: profile, environment: environment).credentials()
  }

  static let credentialsFile = """
    \u{feff}# a comment
    [default]
    aws_access_key_id = AKDEFAULT
    aws_secret_access_key = abc/def+ghi#jkl  # not part of it

    ; another
    [ prod ]   # comment
    AWS_ACCESS_KEY_ID=AKPROD\r
    aws_secret_access_key=secretprod\r
    aws_session_token = token==
    [both]
    aws_access_key_id = AKBOTH
    [half]
    aws_access_key_id = AKHALF
    [repeated]
    aws_access_key_id = AKOLD
    aws_secret_access_key = old
    [repeated]
    aws_access_key_id = AKNEW
    """
  static let configFile = """
    [default]
    region = eu-west-1
    s3 =
      addressing_style = path
      aws_access_key_id = AKNESTED
    [profile both]
    aws_access_key_id = AKCONFIG
    aws_secret_access_key = fromconfig
    [profile   spaced  name]
    aws_access_key_id = AKSPACED
    aws_secret_access_key = s
    [plain]
    aws_access_key_id = AKPLAIN
    aws_secret_access_key = s
    [profile role]
    role_arn = arn:aws:iam::1:role/x
    source_profile = default
    [profile empty]
    region = x
    """

  @Test(arguments: [
    ("default", "AKDEFAULT", "abc/def+ghi#jkl", nil), ("prod", "AKPROD", "secretprod", "token=="),
    ("both", "AKBOTH", "fromconfig", nil), ("spaced name", "AKSPACED", "s", nil),
    ("repeated", "AKNEW", "old", nil),
  ])
  func `profiles are read from both files`(profile: String, id: String, secret: String, token: String?)
    async throws
  {
    try await withFiles(credentials: Self.credentialsFile, config: Self.configFile) { environment, _ in
      let keys = try await keys(profile: profile, environment)
      #expect(keys.accessKeyID == id)
      #expect(keys.secretAccessKey == secret)
      #expect(keys.sessionToken == token)
      #expect(keys.source == "profile \(profile)")
    }
  }

  @Test(arguments: [
    ("absent", CredentialError.Code.unknownProfile), ("plain", .unknownProfile), ("half", .incomplete),
    ("role", .incomplete), ("empty", .incomplete),
  ])
  func `a profile asked for by name must have keys`(profile: String, code: CredentialError.Code) async throws
  {
    try await withFiles(credentials: Self.credentialsFile, config: Self.configFile) { environment, _ in
      var environment = environment
      environment["AWS_ACCESS_KEY_ID"] = "AKENV"
      environment["AWS_SECRET_ACCESS_KEY"] = "s"
      let error = await failure(profile: profile, environment)
      #expect(error?.code == code)
      #expect(error?.description.contains("profile \(profile) ") == true)
    }
  }

  @Test func `keys in the environment go before AWS_PROFILE, and that before default`() async throws {
    try await withFiles(credentials: Self.credentialsFile) { environment, _ in
      #expect(try await keys(environment).accessKeyID == "AKDEFAULT")
      #expect(try await keys(profile: "", environment).accessKeyID == "AKDEFAULT")
      var environment = environment
      environment["AWS_PROFILE"] = "prod"
      #expect(try await keys(environment).accessKeyID == "AKPROD")
      environment["AWS_PROFILE"] = "absent"
      #expect(await failure(environment)?.code == .unknownProfile)
      environment["AWS_ACCESS_KEY_ID"] = "AKENV"
      #expect(await failure(environment)?.code == .incomplete)
      environment["AWS_SECRET_ACCESS_KEY"] = "s"
      environment["AWS_SESSION_TOKEN"] = "t"
      let found = try await keys(environment)
      #expect(found.accessKeyID == "AKENV")
      #expect(found.sessionToken == "t")
      #expect(try await keys(profile: "prod", environment).accessKeyID == "AKPROD")
    }
  }

  @Test func `no credentials anywhere names the places`() async throws {
    let error = await failure([:])
    #expect(error?.code == .absent)
    #expect(error?.description.contains("no keys in the environment") == true)
    #expect(error?.description.contains("profile default does not exist") == true)
  }

  @Test func `files default to the home folder's`() {
    let files = ProfileFiles(environment: ["HOME": "/home/x"])
    #expect(files.credentialsPath == "/home/x/.aws/credentials")
    #expect(files.configPath == "/home/x/.aws/config")
    let set = ProfileFiles(environment: ["HOME": "/h", "AWS_CONFIG_FILE": "~/f"])
    #expect(set.configPath == "/h/f")
  }

  @Test(arguments: ["key without section = 1", "[open\na = b", "[x]\nno equals sign"])
  func `a file that makes no sense is an error that quotes nothing of it`(text: String) async throws {
    try await withFiles(credentials: text) { environment, folder in
      let error = await failure(profile: "x", environment)
      #expect(error?.code == .unreadable)
      #expect(error?.description.contains(folder.path) == true)
      for word in ["equals", "without", "open"] { #expect(error?.description.contains(word) == false) }
    }
  }

  @Test func `a folder in a file's place is an error`() async throws {
    try await withFiles(credentials: nil) { environment, folder in
      var environment = environment
      environment["AWS_CONFIG_FILE"] = folder.path
      #expect(await failure(environment)?.code == .unreadable)
    }
  }

  @Test func `a key with a character that no header may carry is an error`() async throws {
    let environment = ["AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "hush\nX: y"]
    let error = await failure(environment)
    #expect(error?.code == .incomplete)
    #expect(error?.description.contains("hush") == false)
  }

  @Test func `changed files are seen at the next reading`() async throws {
    try await withFiles(credentials: Self.credentialsFile) { environment, folder in
      let provider = CredentialChain.standard(profile: "prod", environment: environment)
      #expect(try await provider.credentials().accessKeyID == "AKPROD")
      let other = "[prod]\naws_access_key_id = AKOTHER\naws_secret_access_key = s\n"
      try other.write(to: folder.appending(path: "c"), atomically: true, encoding: .utf8)
      #expect(try await provider.credentials().accessKeyID == "AKOTHER")
    }
  }

  @Test func `credentials do not show themselves`() {
    let keys = Credentials(accessKeyID: "AKID", secretAccessKey: "hush", sessionToken: "hush", source: "x")
    var text = "\(keys) \(String(reflecting: keys)) \([keys]) \(String(describing: Optional(keys)))"
    dump(keys, to: &text)
    #expect(!text.contains("hush") && !text.contains("AKID"))
  }
}
