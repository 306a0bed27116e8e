import AWS
import Base
import WAL

extension ConsumerName {
  package static let dynamodb = ConsumerName(rawValue: "dynamodb")
}

extension DynamoSettings: DestinationSettings {
  package static let name = "dynamodb"
  package static let service = "DynamoDB"
  package static let check = "table"
  package static let consumers = (
    remote: ConsumerKind(name: .dynamodb, shipsInBatches: false),
    local: ConsumerKind(name: .localDynamoDB, shipsInBatches: false)
  )
  package static let variableFamilies = ["DYNAMO_", "RETENTION_"]
  package static let makesCopies = false

  package var deliveries: Int {
    items.writeMode == .batch ? min(items.concurrency, ItemBatch.mostUncommitted) : items.concurrency
  }

  package func destination(_ access: any AWSAccess) async throws -> any Destination {
    DynamoSettings.destination(try await access.client(), items)
  }

  static func destination(_ client: AWSClient, _ settings: ItemSettings) -> ItemDestination<DynamoTable> {
    ItemDestination(
      .dynamodb, settings, TableAddress(region: client.region, table: settings.table),
      table: DynamoTable(
        client: DynamoDBClient(client), name: settings.table, writeMode: settings.writeMode))
  }

  package func destination(inFolder folder: String, clock: ShippingClock) throws -> any Destination {
    try ItemDestination.inFolder(folder, items, clock: clock)
  }
}
