/// The address of a local folder.
struct FolderAddress: DestinationAddress {
  let folder: String

  var fields: [(name: String, value: String)] { [("folder", folder)] }
}
