import Base
import Foundation
import TestSupport
import Testing
import WAL

@testable import tickwal

@Suite struct ConfigurationTests {
  @Test func `defaults are the documented ones`() throws {
    let settings = try configuration()
    #expect(settings.aws.profile == nil)
    #expect(settings.aws.region == "ap-southeast-1")
    #expect(settings.s3.isEnabled && settings.dynamo.isEnabled)
    #expect(settings.s3.objects.maximumRows == 1000)
    #expect(settings.s3.objects.maximumWait == .seconds(10))
    #expect(settings.s3.bucket == "crypto-live-bucket")
    #expect(settings.s3.objects.folder == "batch_jsonl")
    #expect(settings.s3.objects.fileName == "miniticker")
    #expect(settings.s3.objects.layout == .hive)
    #expect(settings.s3.objects.compression == .gzip(level: 6))
    #expect(settings.s3.objects.concurrency == 4)
    #expect(settings.dynamo.items.table == "crypto-live-miniticker")
    #expect(settings.dynamo.items.writeMode == .update)
    #expect(settings.dynamo.items.concurrency == 20)
    #expect(settings.dynamo.items.retentionDays == 1)
    #expect(!settings.kinesis.isEnabled && settings.kinesis.stream == nil)
    #expect(settings.feed.secretName == "crypto-live.binance_ws")
    #expect(settings.feed.streams == nil)
    #expect(settings.feed.url == nil)
    #expect(settings.feed.testnet)
    #expect(settings.feed.caBundle == nil)
    #expect(settings.feed.staleAfter == .seconds(60))
    #expect(settings.feed.maximumAge == .seconds(23 * 3_600))
    #expect(settings.feed.refreshInterval == .seconds(300))
    #expect(settings.log.path.text == "./ticks.db")
    #expect(settings.logging.level == .info)
    #expect(settings.logging.format == .text)
    #expect(settings.writer.commitLinger == .milliseconds(5))
    #expect(settings.space.retention == .seconds(86_400))
    #expect(settings.space.disk == DiskLimits(low: .percent(15), stop: .percent(5), ballast: 64 << 20))
    #expect(settings.stop.timeout == .seconds(5))
    #expect(!settings.stop.drain)
    #expect(settings.entries.allSatisfy { $0.source == .byDefault })
    #expect(settings.warnings.isEmpty)
  }

  @Test func `trusted roots that are no certificates are bad settings`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/roots.pem"
      for content in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        try Data(content.utf8).write(to: URL(fileURLWithPath: path))
        let settings = try configuration(["FEED_CA_BUNDLE": path, "BINANCE_WS_URL": "wss://h"])
        let error = #expect(throws: BadSettings.self) { try settings.checkFeed() }
        #expect(error?.exitCode == .badValue)
        #expect(error?.lines.first?.hasPrefix("FEED_CA_BUNDLE is '\(path)'") == true)
      }
      // Without TLS nothing is verified.
      try configuration(["FEED_CA_BUNDLE": path, "BINANCE_WS_URL": "ws://h"]).checkFeed()
    }
  }

  @Test func `every setting has a flag of its own name`() throws {
    let help = RunFlags.helpMessage(columns: 200)
    let entries = try configuration().entries
    #expect(entries.count == 45)
    for entry in entries {
      #expect(help.contains("--\(SettingName.flag(of: entry.name)) <"))
      #expect(help.contains(entry.name))
    }
  }

  @Test(arguments: [["--max-batch-size", "500"], ["--max-batch-size=500"]])
  func `a flag overrides the variable`(flags: [String]) throws {
    let settings = try configuration(["MAX_BATCH_SIZE": "7", "S3_BUCKET": "from-env"], flags: flags)
    #expect(settings.s3.objects.maximumRows == 500)
    #expect(settings.s3.bucket == "from-env")
    let sources = Dictionary(uniqueKeysWithValues: settings.entries.map { ($0.name, $0.source) })
    #expect(sources["MAX_BATCH_SIZE"] == .flag)
    #expect(sources["S3_BUCKET"] == .environment)
    #expect(sources["REGION"] == .byDefault)
  }

  @Test func `an empty variable is unset`() throws {
    let settings = try configuration(["MAX_BATCH_SIZE": "", "PIPELINE_IAM_USER": "", "BINANCE_WS_URL": ""])
    #expect(settings.s3.objects.maximumRows == 1000)
    #expect(settings.aws.profile == nil)
    #expect(settings.feed.url == nil)
    #expect(settings.entries.allSatisfy { $0.source == .byDefault })
  }

  @Test func `an empty flag takes a variable back`() throws {
    let settings = try configuration(["PIPELINE_IAM_USER": "old"], flags: ["--pipeline-iam-user", ""])
    #expect(settings.aws.profile == nil)
  }

  @Test func `empty TESTNET is false and empty streams are an error`() throws {
    #expect(try !configuration(["TESTNET": ""]).feed.testnet)
    #expect(try complaints(["STREAMS": ""]).count == 1)
  }

  @Test func `all mistakes are reported at once, one line each`() throws {
    let lines = try complaints(
      ["MAX_BATCH_SIZE": "abc\nd", "S3_BUCKET": "No", "REGION": "eu west", "S3_WRITE": "yes"],
      flags: ["--dynamo-concurrency", "-1"])
    #expect(lines.count == 5)
    #expect(lines.allSatisfy { !$0.contains("\n") })
    #expect(lines.contains(#"MAX_BATCH_SIZE is 'abc\nd' but must be a whole number from 1 to 100,000"#))
    #expect(lines.contains("--dynamo-concurrency is '-1' but must be a whole number from 1 to 1,000"))
    #expect(lines.contains("S3_WRITE is 'yes' but must be 0 or 1"))
  }

  @Test func `a Kinesis stream is needed only where records are put into it, and its name is checked`() throws
  {
    let settings = try configuration(["KINESIS_WRITE": "1", "KINESIS_STREAM": "a_B-9.x"])
    #expect(settings.kinesis.isEnabled && settings.kinesis.stream == "a_B-9.x")
    #expect(try complaints(["KINESIS_WRITE": "0"]) == [])
    #expect(
      try complaints(["KINESIS_WRITE": "1"]) == [
        "KINESIS_STREAM is '' (KINESIS_WRITE is 1) but must be the name of a Kinesis stream (1 to 128 letters, digits, underscores, hyphens and dots)"
      ])
    #expect(
      try complaints(["KINESIS_WRITE": "1", "KINESIS_STREAM": "s"], flags: ["--kinesis-stream", ""]).count
        == 1)
    for name in ["a b", "a/b", "ü", String(repeating: "x", count: 129)] {
      #expect(try complaints(["KINESIS_STREAM": name]).count == 1)
    }
    #expect(try configuration(["KINESIS_STREAMS": "x"]).warnings.count == 1)
  }

  @Test func `a flag is judged instead of the variable it overrides`() throws {
    #expect(try complaints(["MAX_BATCH_SIZE": "abc"], flags: ["--max-batch-size", "5"]).isEmpty)
    #expect(try complaints(["MAX_BATCH_SIZE": "5"], flags: ["--max-batch-size", "abc"]).count == 1)
  }

  @Test func `commands ignore settings they do not use`() throws {
    let settings = try Configuration(
      flags: ReadFlags.parse([]),
      environment: ["MAX_BATCH_SIZE": "abc", "STREAMS": "", "AWS_REGION": "x", "WAL_PATH": "/tmp/x.db"])
    #expect(settings.log.path.text == "/tmp/x.db")
    #expect(settings.entries.map(\.name) == ["WAL_PATH", "LOG_LEVEL", "LOG_FORMAT"])
    #expect(settings.warnings.isEmpty)
  }

  @Test func `an AWS region that differs is warned about`() throws {
    #expect(try configuration(["AWS_REGION": "us-east-1"]).warnings.count == 1)
    #expect(try configuration(["AWS_REGION": "us-east-1", "REGION": "us-east-1"]).warnings.isEmpty)
    #expect(try configuration(["AWS_REGION": "us-east-1"]).aws.region == "ap-southeast-1")
  }

  @Test func `a mistyped variable is warned about`() throws {
    let warnings = try configuration(["S3_BUKET": "x", "S3_BUCKET": "abc", "PATH": "/bin"]).warnings
    #expect(warnings == ["S3_BUKET is set, but tickwal has no setting of that name"])
  }

  @Test func `what was changed from its default is marked, and the exchange is named`() throws {
    let settings = try configuration([
      "MAX_BATCH_SIZE": "500", "S3_BUCKET": "crypto-live-bucket", "TESTNET": "0",
    ])
    let marked = settings.table.lines().filter { $0.hasSuffix("*") }
    #expect(marked.map { $0.split(separator: " ")[0] } == ["MAX_BATCH_SIZE", "TESTNET"])
    #expect(Set(settings.metadata(all: false).keys) == ["MAX_BATCH_SIZE", "TESTNET"])
    #expect(settings.metadata(all: true).count == settings.entries.count)
    #expect(
      settings.notes == [
        "* 2 settings changed from the default",
        "the feed connects to wss://stream.binance.com:9443/stream?streams=…",
      ])
  }

  @Test func `nothing secret is shown`() throws {
    let settings = try configuration([
      "AWS_ACCESS_KEY_ID": "AKIASECRET", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_SESSION_TOKEN": "hunter3",
      "HTTPS_PROXY": "bob:hunter5@proxy:3128",
      "BINANCE_WS_URL": "wss://host/ws?listenKey=hunter7&streams=a@b",
    ])
    let everything = [
      settings.table.lines().joined(), settings.document.text,
      String(describing: settings.metadata(all: true)), settings.notes.joined(),
    ].joined()
    #expect(!everything.contains("hunter"))
    #expect(!everything.contains("AKIASECRET"))
    #expect(everything.contains("wss://host/ws?listenKey=***&streams=a@b"))
  }

  @Test(arguments: [
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_STS", "BINANCE_WS_URL",
  ])
  func `a bad URL is named without its credentials`(name: String) throws {
    for scheme in ["ftp", "http", "wss"] {
      let lines = try complaints([name: "\(scheme)://bob:hunter2@host/"])
      #expect(lines.count == 1)
      #expect(lines[0].hasPrefix("\(name) is '\(scheme)://***@host/'"))
      #expect(!lines[0].contains("hunter2"))
    }
  }

  @Test func `the document holds value, unit and origin`() throws {
    let text = try configuration(["MAX_BATCH_TIMEOUT": "2.5"]).document.text
    #expect(text.contains(#""MAX_BATCH_TIMEOUT":{"value":"2.5","unit":"s","from":"environment"}"#))
    #expect(text.contains(#""PIPELINE_IAM_USER":{"value":null,"unit":null,"from":"default"}"#))
  }
}
