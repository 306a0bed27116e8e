/// The address of a table in a region.
struct TableAddress: DestinationAddress {
  let region: String
  let table: String

  var fields: [(name: String, value: String)] { [("region", region), ("table", table)] }
}

extension DynamoSettings {
  package static func text(ofAddress address: String) -> String? {
    TableAddress(json: address).map { "table \($0.table) in \($0.region)" }
  }
}
