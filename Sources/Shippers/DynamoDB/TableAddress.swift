/// The address of a table in a region.
struct TableAddress: DestinationAddress {
  let region: String
  let table: String

  var fields: [(name: String, value: String)] { [("region", region), ("table", table)] }
}
