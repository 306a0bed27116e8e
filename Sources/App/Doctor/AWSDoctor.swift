import AWS
import Base

/// The checks that ask AWS. Each call is one that `run` makes, too, or changes nothing.
struct AWSDoctor: Sendable {
  let settings: Configuration
  let client: AWSClient
  /// Whether an object may be written.
  let writes: Bool

  private static let retry = Retry(maximumAttempts: 3, backoff: Backoff(cap: .seconds(1)))

  func findings() async throws -> [DoctorFinding] {
    let needed = settings.s3.isEnabled || settings.dynamo.isEnabled || settings.feed.streams == nil
    guard needed else { return [.skipped("credentials", "nothing is delivered to AWS or read from it")] }
    let credentials = try await attempt("credentials") { describe(try await client.currentCredentials()) }
    guard credentials.verdict != .failed else { return [credentials] }
    var date: Int?
    var found = [credentials]
    found.append(
      try await attempt("identity") {
        let identity = try await STSClient(client).callerIdentity(retry: Self.retry)
        date = identity.answer.date
        return .ok("identity", "\(identity.arn), account \(identity.account)")
      } otherwise: { error in
        date = error.date
        // run does not ask STS for it: only keys that are refused are in its way.
        guard error.kind != .credentialsRefused else {
          return .failed("identity", error.description, "these keys are not valid: make new ones")
        }
        return .warning("identity", error.description)
      })
    found.append(DoctorRules.clock(server: date, machine: WallClock.epochSeconds()))
    found.append(try await secret())
    found += try await bucket()
    found += try await table()
    return found
  }

  private func describe(_ keys: Credentials) -> DoctorFinding {
    let end = keys.expiration.map { ", for another \($0 - WallClock.epochSeconds()) s" } ?? ""
    return .ok("credentials", "from \(keys.source)\(end)")
  }

  private func secret() async throws -> DoctorFinding {
    if let streams = settings.feed.streams {
      return .skipped("secret", "STREAMS names \(streams.names.count) streams")
    }
    let name = settings.feed.secretName
    return try await attempt("secret") {
      let secret = try await SecretsManagerClient(client).getSecretValue(name, retry: Self.retry)
      do throws(Refusal) {
        let names = try StreamSecret.list(in: secret.exposed).names
        return .ok("secret", "\(name) lists \(names.count) streams: \(Text.list(names, limit: 3))")
      } catch {
        return .failed("secret", "\(name): \(error.reason ?? "it is unusable")", StreamSecret.form)
      }
    }
  }

  private func bucket() async throws -> [DoctorFinding] {
    guard settings.s3.isEnabled else { return [.skipped("bucket", "S3_WRITE is 0")] }
    let bucket = settings.s3.bucket
    let folder = settings.s3.folder.isEmpty ? "" : settings.s3.folder + "/"
    let key = "\(folder)_logs/doctor.json"
    let s3 = S3Client(client)
    let reading = try await attempt("bucket") {
      // Without the right to list, S3 calls an object that is not there forbidden.
      try await s3.headBucket(bucket, retry: Self.retry)
      _ = try await s3.getObject(bucket: bucket, key: key, retry: Self.retry)
      return .ok("bucket", "\(bucket) is reachable and readable")
    }
    guard reading.verdict != .failed else { return [reading] }
    guard writes else {
      return [reading, .skipped("bucket-write", "not tried: --write puts \(key) there")]
    }
    let body = Array("{}".utf8)
    let writing = try await attempt("bucket-write") {
      _ = try await s3.putObject(
        bucket: bucket, key: key,
        headers: ["Content-Type": "application/json", "x-amz-checksum-sha256": SHA256.hash(body).base64],
        body: body, retry: Self.retry)
      return .ok("bucket-write", "\(bucket) takes objects; \(key) may be deleted")
    }
    return [reading, writing]
  }

  private func table() async throws -> [DoctorFinding] {
    guard settings.dynamo.isEnabled else { return [.skipped("table", "DYNAMO_WRITE is 0")] }
    let name = settings.dynamo.table
    let dynamo = DynamoDBClient(client)
    let keys = try await attempt("table") {
      DoctorRules.tableKeys(try await dynamo.describeTable(name, retry: Self.retry))
    }
    guard keys.verdict != .failed else { return [keys] }
    let writing = try await attempt("table-write") {
      do {
        _ = try await dynamo.updateItem(body: Self.impossibleUpdate(name), retry: Self.retry)
        return .warning("table-write", "\(name) wrote an item although its condition cannot hold")
      } catch let error as AWSError where error.code == "ConditionalCheckFailedException" {
        return .ok("table-write", "\(name) takes items")
      }
    }
    let ttl = try await attempt("ttl") {
      let ttl = try await dynamo.describeTimeToLive(name, retry: Self.retry)
      return DoctorRules.timeToLive(ttl, table: name, region: client.region)
    } otherwise: {
      .warning("ttl", "cannot be seen: \($0)", "the right dynamodb:DescribeTimeToLive is missing")
    }
    return [keys, writing, ttl]
  }

  /// Needs the right to write, and writes nothing.
  private static func impossibleUpdate(_ table: String) -> [UInt8] {
    let update = JSONDocument.object([
      "TableName": .string(table),
      "Key": .object([
        "stream_type": .object(["S": .string("tickwal doctor")]),
        "iso_timestamp": .object(["S": .string("-")]),
      ]),
      "UpdateExpression": .string("SET symbol = :s"),
      "ConditionExpression": .string("attribute_exists(stream_type) AND attribute_not_exists(stream_type)"),
      "ExpressionAttributeValues": .object([":s": .object(["S": .string("-")])]),
    ])
    return Array(update.text.utf8)
  }

  private func attempt(
    _ name: String, _ check: () async throws -> DoctorFinding, otherwise: ((AWSError) -> DoctorFinding)? = nil
  ) async throws -> DoctorFinding {
    do {
      return try await check()
    } catch let error as CancellationError {
      throw error
    } catch let error as AWSError {
      return otherwise?(error) ?? DoctorRules.failure(name, error)
    } catch {
      return DoctorRules.failure(name, error)
    }
  }
}
