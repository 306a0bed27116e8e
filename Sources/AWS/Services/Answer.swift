/// The facts that every successful answer has beside its content.
package struct Answer: Sendable, Equatable {
  /// The server's `Date`, epoch seconds UTC; nil when it sent none.
  package var date: Int?
  package var requestID: String?

  package init(date: Int?, requestID: String? = nil) {
    self.date = date
    self.requestID = requestID
  }
}
