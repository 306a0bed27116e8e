import ShippingFixtures
import Testing

@testable import Shippers
@testable import WAL

@Suite struct ObjectNameTests {
  private static let logID = LogID(rawValue: "12a5b72a42c20602")

  @Test(arguments: [true, false], [ObjectSettings.Layout.hive, .flat])
  func `every key that is made is understood`(isCompressed: Bool, layout: ObjectSettings.Layout) {
    for folder in ["batch_jsonl", "", "a/b-1-2"] {
      let key = ObjectKey.batch(
        offsets(7...1_000), firstReceivedAt: someTime, logID: Self.logID, isCompressed: isCompressed,
        settings: ObjectSettings(folder: folder, fileName: "mini-1-2.jsonl", layout: layout))
      let name = ObjectName(key: key)
      #expect(name?.logID == Self.logID, "\(key)")
      #expect(name?.range == offsets(7...1_000), "\(key)")
    }
  }

  @Test(arguments: [
    "", "a/", "notes.txt", "p/_logs/12a5b72a42c20602.json",
    "p/_gaps/dt=2026-11-22/f-2026-11-22T02-48-30.602897Z-12a5b72a42c20602-12.jsonl",
    // A log_id of digits alone, as the name of a gap's object has it.
    "p/_gaps/f-2026-11-22T02-48-30.602897Z-1234567812345678-12.jsonl",
    "p/f-12A5B72A42C20602-1-2.jsonl", "p/f-12a5b72a42c2060-1-2.jsonl", "p/f-12a5b72a42c20602-2-1.jsonl",
    "p/f-12a5b72a42c20602-0-1.jsonl", "p/f-12a5b72a42c20602-01-2.jsonl", "p/f-12a5b72a42c20602-1-+2.jsonl",
    "p/f-12a5b72a42c20602-1-2.jsonl.zst", "p/f-12a5b72a42c20602-1-99999999999999999999.jsonl",
  ])
  func `nothing else is`(key: String) {
    #expect(ObjectName(key: key) == nil)
  }
}
