import FoundationEssentials

/// Code and message of an error's body, whether it is S3's XML, the JSON of the others, or neither.
struct ServiceFault: Equatable {
  /// Without namespace; nil when the body is no error of a service's.
  var code: String?
  /// The first line, at most 300 characters: DynamoDB quotes the request's headers in the lines after it.
  var message: String
  /// The region in which S3 says that the bucket is.
  var region: String?

  private struct JSON: Decodable {
    var type: String?
    var code: String?
    var message: String?
    var capitalMessage: String?

    enum CodingKeys: String, CodingKey {
      case type = "__type"
      case code
      case message
      case capitalMessage = "Message"
    }
  }

  init(_ response: HTTPResponse) {
    let body = response.body
    var text: String?
    switch body.first(where: { $0 > 0x20 }) {
    case UInt8(ascii: "{"):
      // Not JSON after all is an answer like any other without a code.
      if let json = try? JSONDecoder().decode(JSON.self, from: Data(body)) {
        code = json.type ?? json.code
        text = json.message ?? json.capitalMessage
      }
    case UInt8(ascii: "<"):
      // HTML has no Code element, so it gives none.
      let xml = String(decoding: body.prefix(64 << 10), as: UTF8.self)
      code = XMLText.element("Code", in: xml)
      text = XMLText.element("Message", in: xml)
      // S3 names the header that it does not know beside its message.
      if let header = XMLText.element("Header", in: xml) { text = "\(text ?? "") (\(header))" }
      region = XMLText.element("Region", in: xml)
    default: break
    }
    // `UnrecognizedClientException:http://internal.amazon.com/…`
    code = (code ?? response.header("x-amzn-errortype")).flatMap(Self.bare)
    message = Self.firstLine(text ?? "")
  }

  /// `com.amazonaws.dynamodb.v20120810#ValidationException` is `ValidationException`.
  private static func bare(_ type: String) -> String? {
    let name = type.split(separator: "#").last ?? ""
    let bare = name.split(separator: ":").first ?? ""
    let isCode =
      !bare.isEmpty && bare.utf8.count <= 128
      && bare.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "_" || $0 == "-") }
    return isCode ? String(bare) : nil
  }

  static func firstLine(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).first ?? ""
    let shown = line.unicodeScalars.prefix(300).filter { $0.value >= 0x20 && $0.value != 0x7f }
    return String(String.UnicodeScalarView(shown))
  }
}
