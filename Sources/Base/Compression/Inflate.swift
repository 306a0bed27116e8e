import CZlib

/// A gzip stream that is opened up, or several one behind the other, as `cat a.gz b.gz` makes them.
///
/// Reference: RFC 1952, section 2.2.
package struct Inflate: ~Copyable {
  private let stream: UnsafeMutablePointer<z_stream>
  private let joinsStreams: Bool
  /// Whether everything added so far ends where a gzip stream ends.
  package private(set) var isAtEnd = false
  /// Whether zlib may hold back text because there was no more room for it.
  private var isOutputFull = false

  /// - Parameter joinsStreams: whether another stream may follow one that has ended; if not, those bytes are no
  ///   gzip.
  package init(joinsStreams: Bool) {
    self.joinsStreams = joinsStreams
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let code = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "zlib could not start (\(code)): out of memory")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Opens up all of it, which can be a thousand times as long.
  ///
  /// - Returns: `false` if the bytes are no gzip.
  package mutating func add(_ bytes: ArraySlice<UInt8>, to out: inout [UInt8]) -> Bool {
    var rest = bytes
    repeat {
      guard add(&rest, to: &out, atMost: .max) else { return false }
    } while !rest.isEmpty
    return true
  }

  /// Opens up as much as there is room for.
  ///
  /// - Parameters:
  ///   - bytes: what was used of them is taken away. While ``isPending`` there may be text without any.
  ///   - limit: bytes of text that are added to `out`, and up to 64 KiB more.
  /// - Returns: `false` if the bytes are no gzip.
  package mutating func add(_ bytes: inout ArraySlice<UInt8>, to out: inout [UInt8], atMost limit: Int)
    -> Bool
  {
    let isGood = bytes.withUnsafeBufferPointer { input in
      // zlib does not write to its input; its interface lacks the const.
      stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      stream.pointee.avail_in = uInt(input.count)
      return run(into: &out, atMost: limit)
    }
    bytes = bytes.suffix(Int(stream.pointee.avail_in))
    return isGood
  }

  /// Whether there may be more text in what was added already.
  package var isPending: Bool { isOutputFull }

  private mutating func run(into out: inout [UInt8], atMost limit: Int) -> Bool {
    let step = 64 << 10
    var added = 0
    while stream.pointee.avail_in > 0 || isOutputFull, added < limit {
      if isAtEnd {
        guard joinsStreams else { return false }
        inflateReset(stream)
        isAtEnd = false
      }
      let code = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: step) { buffer in
        stream.pointee.next_out = buffer.baseAddress
        stream.pointee.avail_out = uInt(step)
        let code = inflate(stream, Z_NO_FLUSH)
        out.append(contentsOf: buffer[..<(step - Int(stream.pointee.avail_out))])
        return code
      }
      added += step - Int(stream.pointee.avail_out)
      isOutputFull = stream.pointee.avail_out == 0 && code == Z_OK
      switch code {
      case Z_OK: break
      case Z_STREAM_END: isAtEnd = true
      // Nothing was held back after all.
      case Z_BUF_ERROR: return true
      default: return false
      }
    }
    return true
  }
}
