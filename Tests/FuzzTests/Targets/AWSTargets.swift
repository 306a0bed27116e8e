import Base

@testable import AWS
@testable import Shippers

extension FuzzTarget {
  /// The XML of S3 and STS.
  static let xml = FuzzTarget("xml") { input in
    let text = input.text
    for name in ["Code", "Message", "Key", "Arn"] {
      if let element = XMLText.element(name, in: text) {
        try hold(element.utf8.count <= text.utf8.count, "longer than its code")
      }
    }
    if let page = S3Page(xml: text, answer: Answer(date: nil)) {
      try hold(
        page.keys.reduce(0) { $0 + $1.utf8.count } <= 3 * text.utf8.count, "keys longer than the answer")
    }
  }

  /// An answer's header lines, and what an error's body says.
  static let answers = FuzzTarget("answers", mutations: 2_000) { input in
    let bytes = input.bytes
    let end = bytes.indices.first { bytes[$0...].starts(with: "\n\n".utf8) } ?? bytes.endIndex
    let status = 200 + 101 * Int(bytes.first ?? 0) % 400
    let response = HTTPResponse(
      status: status, head: Array(bytes[..<end]), body: Array(bytes[end...].dropFirst(2)))
    for name in ["date", "content-length", "x-amz-request-id", "retry-after", "etag", ""] {
      if let value = response.header(name) {
        try hold(
          !value.contains("\n") && value.utf8.count <= 3 * input.count,
          "a header of \(value.utf8.count) bytes")
      }
    }
    try hold(response.headers(prefix: "x-amz-meta-").count <= input.count, "more headers than bytes")
    let fault = ServiceFault(response)
    try hold(
      (fault.code?.utf8.count ?? 0) <= 128 && fault.message.unicodeScalars.count <= 300, "a long fault")
    try hold(!fault.message.contains("\n"), "a fault of two lines")
    if let results = PutRecordsResults(response.body) {
      let places = results.refused.map(\.place)
      try hold(
        results.count <= input.count && places.allSatisfy { $0 < results.count }, "places beyond the answer")
      try hold(zip(places, places.dropFirst()).allSatisfy(<), "a place twice")
    }
    let error = AWSErrorClassifier(operation: "PutObject", signedAt: 0, now: 0, region: "eu-west-1").error(
      response)
    if let wait = error.retryAfter {
      try hold(.zero <= wait && wait <= .seconds(1 << 40), "a wait of \(wait)")
    }
  }

  /// The shared files of the AWS programs, and the commands in them.
  static let profile = FuzzTarget("profile") { input in
    if let words = CommandWords.split(input.text) {
      try hold(words.reduce(0) { $0 + $1.utf8.count } <= 3 * input.count, "words longer than the command")
    }
    guard let sections = try? ProfileFileParser.parse(input.bytes, path: "f") else { return }
    for (section, settings) in sections {
      try hold(!section.contains("\n"), "a section of two lines")
      for (name, value) in settings {
        try hold(!name.contains("\n") && !value.contains("\n") && !value.isEmpty, "a setting of two lines")
        try hold(value.utf8.count <= 3 * input.count, "a value longer than the file")
      }
      _ = try? ProfilePlan(profile: section, settings) { sections[$0] }
    }
    guard let sampleSeen else { return }
    let found = sections.flatMap { section, settings in settings.flatMap { [section, $0.key, $0.value] } }
    // What has a zero byte itself cannot be told from others.
    if !input.contains(0) { sampleSeen([input.bytes, found.flatMap { Array($0.utf8) + [0] }]) }
  }

  /// The JSON of metadata services, containers and processes.
  static let credentials = FuzzTarget("credentials", mutations: 1_000) { input in
    guard let document = try? CredentialDocument(input.bytes, source: "a"),
      let keys = try? document.credentials(source: "a")
    else { return }
    try hold(!keys.accessKeyID.isEmpty && !keys.secretAccessKey.isEmpty, "empty keys")
    try hold(
      !"\(keys)".contains(keys.secretAccessKey) || keys.secretAccessKey.utf8.count < 8, "a key is shown")
  }

  /// Keys of objects, and numbers of items.
  static let keys = FuzzTarget("keys", longest: 1_024, mutations: 10_000) { input in
    let text = input.text
    if let name = ObjectName(key: text) {
      let end = "\(name.logID)-\(name.range.lowerBound)-\(name.range.upperBound).jsonl"
      try hold(text.hasSuffix(end) || text.hasSuffix(end + ".gz"), "it does not end with \(end)")
      try hold(name.range.lowerBound.rawValue >= 1, "an offset below 1")
    }
    if let canonical = DecimalText.canonical(text) {
      // One with a greater power than is read can have none.
      let again = canonical == "0" ? canonical : DecimalText.canonical(canonical)
      try hold(again == nil || again == canonical, "\(canonical) is not its own form")
      try hold(canonical.utf8.count <= text.utf8.count + 24, "a long number")
    }
  }

  /// What lies in buckets and in the log as JSON of ours: notes, ledgers, addresses.
  static let notes = FuzzTarget("notes", mutations: 1_000) { input in
    if let note = try? LeaseNote(json: input.bytes) {
      try hold(try LeaseNote(json: try note.json()) == note, "a note does not come back")
    }
    _ = try? GapLedger(json: input.text)
    _ = try? FencingTokens(text: input.text)
    if let place = FolderAddress(json: input.text) {
      try hold(FolderAddress(json: place.json) == place, "an address does not come back")
    }
  }
}
