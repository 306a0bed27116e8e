import AWS
import Shippers
import Testing

@testable import Inspect
@testable import WAL

@Suite struct ReconciliationTests {
  @Test func `one that did not come to its end does not agree`() throws {
    var result = Reconciliation(
      Consumer(name: .s3, next: .first, destination: "{}", isEnabled: true, expired: 0), unit: "objects")
    #expect(throws: CancellationError.self) { try result.end(with: CancellationError()) }
    #expect(throws: LogError.self) { try result.end(with: LogError(.notFound, "gone")) }
    #expect(result.agrees)
    try result.end(
      with: ComparisonFailure("read", "a/key", AWSError(.accessDenied, .permanent, operation: "GetObject")))
    #expect(result.failure == "could not read a/key: GetObject: AccessDenied")
    #expect(!result.agrees)
  }

  @Test(arguments: [
    (AWSError("InvalidObjectState", .permanent, operation: "GetObject", status: 403), true),
    (AWSError("KMS.DisabledException", .missing, operation: "GetObject", status: 400), true),
    (
      AWSError(
        .accessDenied, .credentialsRefused, operation: "GetObject", status: 403,
        message: "u is not authorized to perform: kms:Decrypt on k"), true
    ),
    (AWSError(.transport, .permanent, operation: "GetObject", message: "the answer is too large"), true),
    (
      AWSError(
        .accessDenied, .credentialsRefused, operation: "GetObject", status: 403, message: "s3:GetObject"),
      false
    ),
    (AWSError(.noSuchBucket, .missing, operation: "GetObject", status: 404), false),
    (AWSError("PermanentRedirect", .permanent, operation: "GetObject", status: 301), false),
  ])
  func `an error concerns one object or the whole place`(error: AWSError, isOfOne: Bool) {
    #expect((ObjectTrouble.ofOne(error) != nil) == isOfOne)
  }

  @Test func `problems are kept up to a limit and all are counted`() {
    var result = Reconciliation(
      Consumer(name: .s3, next: .first, destination: "{}", isEnabled: true, expired: 0), unit: "objects")
    #expect(result.agrees)
    for number in 0..<150 { result.add(.missing, isRepaired: number < 50, "\(number)") }
    #expect(result.problems.count == Reconciliation.problemLimit)
    #expect(result.moreProblems == 50)
    #expect(result.missing == 150)
    #expect(result.repaired == 50)
    #expect(!result.agrees)
  }
}
