/// What every successful answer tells beside its content.
public struct Answer: Sendable, Equatable {
  /// The server's `Date`, epoch seconds UTC; nil when it sent none.
  public var date: Int?
  public var requestID: String?

  public init(date: Int?, requestID: String? = nil) {
    self.date = date
    self.requestID = requestID
  }
}
