import CoreMetrics
import Observe
import Testing

@Suite struct ExpositionTests {
  private let registry = MetricRegistry([
    MetricFamily("things_total", .counter, "Things.", labels: ["kind"], series: [["a"], ["b"]]),
    MetricFamily("wait_seconds", .doubling(from: 0.5, count: 2), "A wait."),
    MetricFamily("level", .gauge, "A level."),
    MetricFamily("lag", .gauge, "A lag, \"quoted\" and\nlong.", labels: ["consumer"]),
    MetricFamily("process_things", .gauge, "Of the process.", hasPrefix: false),
  ])

  @Test func `a counter is there from 0 with each value of its label, and moves`() {
    Counter(label: "things_total", dimensions: [("kind", "b")], factory: registry).increment(by: 3)
    let text = Exposition.text.document(registry, samples: [])
    #expect(text.contains("# HELP tickwal_things_total Things.\n# TYPE tickwal_things_total counter\n"))
    #expect(text.contains("tickwal_things_total{kind=\"a\"} 0\ntickwal_things_total{kind=\"b\"} 3\n"))
  }

  @Test func `a histogram's buckets count what is below, and a value at a bound belongs to it`() {
    let timer = Timer(label: "wait_seconds", dimensions: [], factory: registry)
    timer.recordNanoseconds(500_000_000)
    timer.recordNanoseconds(750_000_000)
    timer.recordNanoseconds(4_000_000_000)
    let text = Exposition.text.document(registry, samples: [])
    #expect(
      text.contains(
        """
        tickwal_wait_seconds_bucket{le="0.5"} 1
        tickwal_wait_seconds_bucket{le="1"} 2
        tickwal_wait_seconds_bucket{le="+Inf"} 3
        tickwal_wait_seconds_sum 5.25
        tickwal_wait_seconds_count 3

        """))
  }

  @Test func `a value that is no number is not recorded`() {
    let recorder = Recorder(label: "wait_seconds", dimensions: [], aggregate: true, factory: registry)
    recorder.record(Double.nan)
    recorder.record(Double.infinity)
    #expect(Exposition.text.document(registry, samples: []).contains("tickwal_wait_seconds_count 0\n"))
  }

  @Test func `what is found out when it is asked for stands beside what was moved`() {
    Meter(label: "level", dimensions: [], factory: registry).set(2.5)
    let text = Exposition.text.document(
      registry, samples: [.init("lag", ["a\"\\\n"], 7), .init("process_things", 1)])
    #expect(text.contains("tickwal_level 2.5\n"))
    #expect(text.contains("# HELP tickwal_lag A lag, \"quoted\" and\\nlong.\n"))
    #expect(text.contains("tickwal_lag{consumer=\"a\\\"\\\\\\n\"} 7\n"))
    #expect(text.contains("\nprocess_things 1\n"))
  }

  @Test func `a handle for what there is not counts into the void`() {
    Counter(label: "others_total", dimensions: [], factory: registry).increment()
    Counter(label: "things_total", dimensions: [("sort", "a")], factory: registry).increment()
    Counter(label: "level", dimensions: [], factory: registry).increment()
    let text = Exposition.text.document(registry, samples: [])
    #expect(!text.contains("others") && !text.contains("sort"))
  }

  @Test func `OpenMetrics is what a client asks for by name, and names counters without their suffix`() {
    #expect(Exposition(accept: nil) == .text)
    #expect(Exposition(accept: "text/plain, */*") == .text)
    #expect(Exposition(accept: "application/openmetrics-text; q=0, text/plain") == .text)
    #expect(
      Exposition(accept: "text/plain;q=0.5,application/openmetrics-text; version=1.0.0") == .openMetrics)
    let text = Exposition.openMetrics.document(registry, samples: [])
    #expect(text.contains("# TYPE tickwal_things counter\ntickwal_things_total{kind=\"a\"} 0\n"))
    #expect(text.hasSuffix("# EOF\n"))
  }

  @Test func `handles that several threads move lose nothing`() async {
    let recorder = Recorder(label: "wait_seconds", dimensions: [], aggregate: true, factory: registry)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask { for _ in 0..<1_000 { recorder.record(0.5) } }
      }
    }
    let text = Exposition.text.document(registry, samples: [])
    #expect(text.contains("tickwal_wait_seconds_sum 2000\ntickwal_wait_seconds_count 4000\n"))
  }
}
