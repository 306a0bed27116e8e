import Base
import FoundationEssentials

/// The place of a consumer's deliveries as it is stored with the consumer, and with each of its plans.
package protocol DestinationAddress: Decodable, Equatable, Sendable {
  /// Names and values, in the order of the text.
  var fields: [(name: String, value: String)] { get }
}

extension DestinationAddress {
  /// One line of JSON with keys in a fixed order, so that equal places are equal texts.
  package var json: String {
    let fields = fields.map { "\(PythonJSON.string($0.name)):\(PythonJSON.string($0.value))" }
    return "{\(fields.joined(separator: ","))}"
  }

  /// `nil` for a text that is the address of another kind of place, or none.
  package init?(json: String) {
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(json.utf8))
    } catch {
      return nil
    }
  }
}
