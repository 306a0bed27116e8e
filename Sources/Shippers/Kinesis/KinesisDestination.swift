import AWS
import Base
import WAL

extension ConsumerName {
  package static let kinesis = ConsumerName(rawValue: "kinesis")
  package static let localKinesis = ConsumerName(rawValue: "local-kinesis")
}

extension KinesisSettings: DestinationSettings {
  package static let name = "kinesis"
  package static let service = "Kinesis"
  package static let check = "kinesis"
  package static let consumers = (
    remote: ConsumerKind(name: .kinesis, shipsInBatches: false),
    local: ConsumerKind(name: .localKinesis, shipsInBatches: false)
  )
  package static let variableFamilies = ["KINESIS_"]
  package static let makesCopies = false

  package static func text(ofAddress address: String) -> String? {
    KinesisAddress(json: address).map { "Kinesis stream \($0.stream) in \($0.region)" }
  }

  /// One request at a time: see ``RecordSink``.
  package var deliveries: Int { 1 }

  package func destination(_ access: any AWSAccess) async throws -> any Destination {
    guard let stream else {
      throw BadSettings(problems: [.unset(Self.stream, because: "records are to be delivered")])
    }
    return KinesisSettings.destination(try await access.client(), stream: stream)
  }

  static func destination(_ client: AWSClient, stream: String) -> RecordDestination<KinesisStream> {
    RecordDestination(
      .kinesis, KinesisAddress(region: client.region, stream: stream),
      place: KinesisStream(client: KinesisClient(client), name: stream))
  }

  package func destination(inFolder folder: String, clock: ShippingClock) throws -> any Destination {
    try RecordDestination.inFolder(folder)
  }
}

/// The address of a Kinesis stream in a region.
struct KinesisAddress: DestinationAddress {
  let region: String
  let stream: String

  var fields: [(name: String, value: String)] { [("region", region), ("stream", stream)] }
}

extension RecordDestination<RecordFiles> {
  /// Consumer `local-kinesis`: the data of records as lines of files below `records`.
  ///
  /// - Parameter folder: absolute, made if its parent is there.
  static func inFolder(_ folder: String) throws -> RecordDestination {
    try LocalFolder.makeFolder(folder)
    return RecordDestination(
      .localKinesis, FolderAddress(folder: folder), place: try RecordFiles(root: folder + "/records"))
  }
}
