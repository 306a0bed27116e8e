/// The address of a local folder.
struct FolderAddress: DestinationAddress {
  let folder: String

  var fields: [(name: String, value: String)] { [("folder", folder)] }
}

/// The folder of an address of `--local`; nil for one of another kind.
///
/// - Parameter address: JSON, as the log has it.
package func folder(ofAddress address: String) -> String? { FolderAddress(json: address)?.folder }
