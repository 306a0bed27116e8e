import Glibc
import Targets

/// What libFuzzer calls with each input: for the parser that the variable FUZZ_TARGET names.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  do {
    try target.check(UnsafeBufferPointer(start: start, count: count))
  } catch {
    // Ends the program, so that libFuzzer keeps the input.
    fatalError("\(target.name): \(error)")
  }
  return 0
}

private let target: FuzzTarget = {
  let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
  if name == "list" {
    for target in FuzzTarget.all { print(target.name, target.longest) }
    fflush(nil)
    // libFuzzer takes an ordinary exit for a crash.
    _exit(0)
  }
  guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
    fatalError("FUZZ_TARGET is '\(name)' but must be one of \(FuzzTarget.all.map(\.name))")
  }
  if let sample = Sample.shared { sampleSeen = { sample.add($0) } }
  return target
}()
