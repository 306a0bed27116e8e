import WAL

extension ConsumerName {
  package static let localS3 = ConsumerName(rawValue: "local-s3")
  package static let localDynamoDB = ConsumerName(rawValue: "local-dynamodb")
}

extension ObjectDestination {
  /// Consumer `local-s3`: objects as files below `objects`.
  ///
  /// - Parameter folder: absolute, made if its parent is there.
  static func inFolder(_ folder: String, _ settings: ObjectSettings) throws -> ObjectDestination {
    try LocalFolder.makeFolder(folder)
    return ObjectDestination(
      .localS3, settings, FolderAddress(folder: folder),
      store: try LocalObjectStore(root: folder + "/objects")
    ) { address in
      try FolderAddress(json: address).map { try LocalObjectStore(root: $0.folder + "/objects") }
    }
  }
}

extension ItemDestination<LocalTable> {
  /// Consumer `local-dynamodb`: items in the SQLite file `table.db`.
  ///
  /// - Parameter folder: absolute, made if its parent is there.
  static func inFolder(
    _ folder: String, _ settings: ItemSettings, clock: ShippingClock
  ) throws -> ItemDestination {
    try LocalFolder.makeFolder(folder)
    return ItemDestination(
      .localDynamoDB, settings, FolderAddress(folder: folder),
      table: try LocalTable(path: folder + "/table.db", wall: clock.wall))
  }
}
