/// Arithmetic for numbers that something else has written, such as the log's file: it ends at the type's bounds
/// instead of ending the process. Inlinable: a row asks for it several times.
extension FixedWidthInteger {
  @inlinable package func addingSaturated(_ other: Self) -> Self {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other < 0 ? .min : .max) : sum
  }

  @inlinable package func subtractingSaturated(_ other: Self) -> Self {
    let (difference, overflow) = subtractingReportingOverflow(other)
    return overflow ? (other < 0 ? .max : .min) : difference
  }
}
