import Base
import FoundationEssentials
import Ticks

/// Where a consumer delivers to, as it is stored with it.
package enum Destination: Sendable, Equatable {
  case s3(endpoint: String, bucket: String, prefix: String)
  case dynamodb(region: String, table: String)
  case folder(String)

  private struct Fields: Codable {
    var endpoint: String?
    var bucket: String?
    var prefix: String?
    var region: String?
    var table: String?
    var folder: String?
  }

  /// One line of JSON with keys in a fixed order, so that equal destinations are equal texts.
  package var json: String {
    func field(_ name: String, _ value: String) -> String { "\"\(name)\":\(Destination.quoted(value))" }
    let fields =
      switch self {
      case .s3(let endpoint, let bucket, let prefix):
        [field("endpoint", endpoint), field("bucket", bucket), field("prefix", prefix)]
      case .dynamodb(let region, let table): [field("region", region), field("table", table)]
      case .folder(let path): [field("folder", path)]
      }
    return "{\(fields.joined(separator: ","))}"
  }

  /// `nil` for text that ``json`` never made.
  package init?(json: String) {
    guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(json.utf8)) else { return nil }
    if let endpoint = fields.endpoint, let bucket = fields.bucket, let prefix = fields.prefix {
      self = .s3(endpoint: endpoint, bucket: bucket, prefix: prefix)
    } else if let region = fields.region, let table = fields.table {
      self = .dynamodb(region: region, table: table)
    } else if let folder = fields.folder {
      self = .folder(folder)
    } else {
      return nil
    }
  }

  private static func quoted(_ text: String) -> String {
    var out: [UInt8] = []
    var text = text
    text.withUTF8 { PythonJSON.appendString($0, to: &out) }
    return String(decoding: out, as: UTF8.self)
  }
}
