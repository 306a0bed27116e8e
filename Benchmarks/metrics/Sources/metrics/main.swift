import CoreMetrics
import Observe

// Each kind of handle, moved as the program moves it, against a loop that does as much without it.
let registry = MetricRegistry([
  MetricFamily("things_total", .counter, "Things."), MetricFamily("level", .gauge, "A level."),
  MetricFamily("delay_seconds", .doubling(from: 0.001, count: 14), "A delay."),
])
MetricsSystem.bootstrap(registry)
let counter = Counter(label: "things_total")
let meter = Meter(label: "level")
let recorder = Recorder(label: "delay_seconds", dimensions: [], aggregate: true)
let rounds = 5_000_000

/// Nanoseconds a round, the least of five tries.
@inline(never) func measure(_ body: (Int) -> Void) -> Double {
  (0..<5).map { _ in
    ContinuousClock().measure { for round in 0..<rounds { body(round) } } / .nanoseconds(1) / Double(rounds)
  }.min() ?? 0
}

/// Kept from being left out.
nonisolated(unsafe) var sink = 0.0
/// Of all buckets: half a millisecond to eight seconds.
func delay(_ round: Int) -> Double { 0.0005 * Double(1 << (round & 14)) }

let nothing = measure { sink = delay($0) }
for (name, cost) in [
  ("counter", measure { sink = delay($0); counter.increment(by: 1) }),
  ("gauge", measure { sink = delay($0); meter.set(sink) }),
  ("histogram of 14 buckets", measure { sink = delay($0); recorder.record(sink) }),
] {
  print("\(name): \(((cost - nothing) * 10).rounded() / 10) ns")
}
print("the loop alone: \((nothing * 10).rounded() / 10) ns")
