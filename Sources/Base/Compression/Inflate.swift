import CZlib

/// A gzip stream that is opened up, or several one behind the other, as `cat a.gz b.gz` makes them.
///
/// Reference: RFC 1952, section 2.2.
package struct Inflate: ~Copyable {
  private let stream: UnsafeMutablePointer<z_stream>
  private let joinsStreams: Bool
  /// Whether everything added so far ends where a gzip stream ends.
  package private(set) var isAtEnd = false

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

  /// - Returns: `false` if the bytes are no gzip.
  package mutating func add(_ bytes: ArraySlice<UInt8>, to out: inout [UInt8]) -> Bool {
    bytes.withUnsafeBufferPointer { input in
      // zlib does not write to its input; its interface lacks the const.
      stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      stream.pointee.avail_in = uInt(input.count)
      return run(into: &out)
    }
  }

  private mutating func run(into out: inout [UInt8]) -> Bool {
    let step = 64 << 10
    var isOutputFull = false
    while stream.pointee.avail_in > 0 || isOutputFull {
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
      isOutputFull = stream.pointee.avail_out == 0 && code == Z_OK
      switch code {
      case Z_OK: break
      case Z_STREAM_END: isAtEnd = true
      case Z_BUF_ERROR: return true
      default: return false
      }
    }
    return true
  }
}
