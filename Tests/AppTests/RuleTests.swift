import Base
import Testing
import WAL

@testable import tickwal

@Suite struct RuleTests {
  static let bad: [(String, [String])] = [
    (
      "MAX_BATCH_SIZE",
      ["abc", "0", "-1", "100001", "1.5", "1e3", "NaN", "5x", "9999999999999999999999", "١"]
    ),
    (
      "MAX_BATCH_TIMEOUT", ["abc", "0", "0.0", "-1", "nan", "inf", "1e3", "1.2.3", ".5", "5.", "5s", "86401"]
    ),
    ("S3_GZIP_LEVEL", ["0", "10", "-6", "six"]),
    ("S3_UPLOAD_CONCURRENCY", ["0", "1001", "-4"]),
    ("DYNAMO_CONCURRENCY", ["0", "1001"]), ("DYNAMO_WRITE_MODE", ["put", "batches"]),
    ("RETENTION_TTL_DAYS", ["0", "-1", "0.5", "36501"]),
    ("COMMIT_LINGER_MS", ["-1", "0.5", "60001"]),
    ("SHUTDOWN_TIMEOUT", ["0", "-5", "never"]),
    ("S3_WRITE", ["2", "true", "-1"]), ("DYNAMO_WRITE", ["no"]), ("DRAIN_ON_STOP", ["on"]),
    ("TESTNET", ["2", "ja", "truee"]),
    ("S3_KEY_LAYOUT", ["hives", "date"]), ("S3_COMPRESSION", ["zstd"]),
    ("LOG_LEVEL", ["loud"]), ("LOG_FORMAT", ["xml"]),
    ("REGION", ["eu west", "EU-WEST-1", "-eu", "a.b", "eu/west"]),
    (
      "S3_BUCKET",
      [
        "ab", "A-bucket", "a_b", "-ab", "ab-", "a..b", ".ab", "192.168.0.1", "xn--abc", "abc--ol-s3",
        "abc.mrap",
        "abc--use1-az4--x-s3", "abc--table-s3", "arn:aws:s3:::abc",
        "arn:aws:s3::123456789012:accesspoint/a1.mrap",
        "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/abc",
        String(repeating: "a", count: 64), "bücket",
      ]
    ),
    ("S3_JSONL_DIR_PATH", ["a//b", "../a", "a/./b", "a\nb"]),
    ("S3_FILENAME", ["a/b", "a\tb", String(repeating: "a", count: 129)]),
    ("DYNAMO_TABLE_NAME", ["ab", "a table", "t/x", String(repeating: "a", count: 256)]),
    ("BINANCE_WEBSOCKET_SECRET", ["a b", "a\nb"]),
    ("PIPELINE_IAM_USER", ["a\nb"]),
    ("STREAMS", ["a,,b", ",", "a b@x", "a/b", "a?b", " "]),
    (
      "BINANCE_WS_URL",
      [
        "localhost:9", "http://x", "ws://", "ws://:9", "ws://h:0", "ws://h:70000", "ws://h:x", "ws://a b",
        "ws://h/#x", "ws://[::1", "ws:///x", "ws://h/\u{7}", "ws://u:p@h/", "ws://h/é",
      ]
    ),
    ("FEED_STALE_SECONDS", ["0", "-1", "x", "86401"]),
    ("FEED_MAX_AGE", ["0", "0.0", "24.01", "25", "-1", "23h", "1e1"]),
    ("STREAMS_REFRESH_SECONDS", ["0", "-300", "5m"]),
    ("FEED_CA_BUNDLE", ["/nowhere/ca.pem", "/tmp"]),
    ("WAL_PATH", ["/tmp/", ":memory:"]),
    ("WAL_RETENTION_HOURS", ["0", "-1", "1d", "nan", "87601"]),
    ("DISK_LOW", ["15", "100%", "-1%", "%", "1e1%", "many", "10 PB", "9999999TB"]),
    ("DISK_STOP", ["5", "5 percent", "1.2.3GB", "-5GB"]),
    ("BALLAST_SIZE", ["64", "5%", "MiB", "64MiBs", "2000TiB"]),
  ]

  @Test(arguments: bad)
  func `what is not allowed is refused`(name: String, values: [String]) throws {
    for value in values {
      let byVariable = try complaints([name: value])
      #expect(byVariable.count == 1, "\(name)=\(value)")
      #expect(byVariable.first?.hasPrefix(name + " is '") == true)
    }
    let flag = "--\(SettingName.flag(of: name))"
    let byFlag = try complaints(flags: ["\(flag)=\(values[0])"])
    #expect(byFlag.count == 1)
    #expect(byFlag.first?.hasPrefix("\(flag) is '") == true)
  }

  static let good: [(String, [String])] = [
    ("MAX_BATCH_SIZE", ["1", "100000", " 500 ", "007"]),
    ("MAX_BATCH_TIMEOUT", ["0.001", "10", "2.5", "86400", "10 "]),
    ("COMMIT_LINGER_MS", ["0", "60000"]),
    ("WAL_RETENTION_HOURS", ["0.001", "24", "87600"]),
    ("DISK_LOW", ["15 %", "0%", "99.9%", "10GiB", "10 gb", "1.5T", "0"]),
    ("BALLAST_SIZE", ["0", "100k", "1024B", " 64 MiB "]),
    ("RETENTION_TTL_DAYS", ["1", "36500"]),
    ("TESTNET", ["true", "TRUE", "1", "Yes", "on", "false", "0", "NO", "off", ""]),
    ("LOG_LEVEL", ["trace", "WARNING", "warn", "critical"]),
    ("REGION", ["us-gov-west-1", "local"]),
    (
      "S3_BUCKET",
      [
        "abc", "my.bucket-1", "1.2.3.4.5", "my-point-abcdefghijklmnopqrstuvwxyz0123-s3alias",
        "arn:aws:s3:ap-southeast-1:123456789012:accesspoint/mine",
      ]
    ),
    ("S3_JSONL_DIR_PATH", ["/a/b/", "a", "/", "dt=é"]),
    (
      "STREAMS",
      ["btcusdt@miniTicker", "!miniTicker@arr", "a@depth@100ms , b@kline_1d@+08:00", "币安人生usdt@ticker"]
    ),
    ("BINANCE_WS_URL", ["ws://127.0.0.1:9", "WSS://host", "ws://[::1]:80/ws/x@trade", "ws://h/?a=b"]),
    ("FEED_STALE_SECONDS", ["0.5", "86400"]), ("FEED_MAX_AGE", ["24", "0.001", " 23 "]),
    ("STREAMS_REFRESH_SECONDS", ["1", "2.5"]), ("FEED_CA_BUNDLE", ["/etc/hostname"]),
    ("BINANCE_WEBSOCKET_SECRET", ["arn:aws:secretsmanager:eu-west-1:1:secret:a/b-Xy"]),
  ]

  @Test(arguments: good)
  func `what is allowed is taken`(name: String, values: [String]) throws {
    for value in values { #expect(try complaints([name: value]) == [], "\(name)=\(value)") }
  }

  @Test func `numbers become their values`() throws {
    let settings = try configuration([
      "MAX_BATCH_TIMEOUT": "2.5", "COMMIT_LINGER_MS": "0", "SHUTDOWN_TIMEOUT": "0.25",
      "MAX_BATCH_SIZE": "007", "WAL_RETENTION_HOURS": "0.5",
    ])
    #expect(settings.s3.objects.maximumWait == .milliseconds(2_500))
    #expect(settings.writer.commitLinger == .zero)
    #expect(settings.stop.timeout == .milliseconds(250))
    #expect(settings.space.retention == .seconds(1_800))
    #expect(settings.s3.objects.maximumRows == 7)
    let feed = try configuration(["FEED_MAX_AGE": "0.5", "STREAMS_REFRESH_SECONDS": "1.5"]).feed
    #expect((feed.maximumAge, feed.refreshInterval) == (.seconds(1_800), .milliseconds(1_500)))
  }

  @Test func `amounts of space are shares or bytes`() throws {
    let disk = try configuration([
      "DISK_LOW": "12.5%", "DISK_STOP": "1.5GiB", "BALLAST_SIZE": "10MB",
    ]).space.disk
    #expect(disk == DiskLimits(low: .percent(12.5), stop: .bytes(3 << 29), ballast: 10_000_000))
    #expect(try configuration(["DISK_LOW": "3%", "DISK_STOP": "4%"]).warnings.count == 1)
  }

  @Test(arguments: [("true", true), ("YES", true), ("On", true), ("1", true), ("off", false), ("", false)])
  func `TESTNET takes the usual words`(text: String, value: Bool) throws {
    #expect(try configuration(["TESTNET": text]).feed.testnet == value)
  }

  @Test func `slashes at the ends of the folder are trimmed`() throws {
    #expect(try configuration(["S3_JSONL_DIR_PATH": "//a/b//"]).s3.objects.folder == "a/b")
    #expect(try configuration(["S3_JSONL_DIR_PATH": "/"]).s3.objects.folder == "")
  }

  @Test func `repeated streams are subscribed once with a warning`() throws {
    let list = try StreamList(["a@trade", "b@trade", "a@trade", "BTC@trade"])
    #expect(list.names == ["a@trade", "b@trade", "BTC@trade"])
    #expect(list.warnings.count == 2)
  }

  @Test func `a list in the form of the secret says so`() {
    let error = #expect(throws: BadSettings.self) { try configuration(["STREAMS": "[\"a@trade\"]"]) }
    #expect(error?.lines.joined().contains("it is JSON, as in the secret") == true)
  }

  @Test func `more streams than a hundred connections carry are refused`() throws {
    let names = (0...102_400).map { "s\($0)@trade" }
    #expect(try StreamList(Array(names.dropLast())).names.count == 102_400)
    let refusal = #expect(throws: BadText.self) { try StreamList(names) }
    #expect(refusal?.reason == "it has 102,401 streams, more than 102,400")
    #expect(throws: BadText.self) { try StreamList([]) }
  }
}
