import CGlibc

/// The C library's store of memory that was freed.
///
/// Reference: https://man7.org/linux/man-pages/man3/mallopt.3.html
enum FreedMemory {
  /// Keeps up to 8 MiB a thread instead of giving each page back at once: a burst of ticks takes and frees the same
  /// memory 50 times a second, and each time costs system calls and page faults.
  ///
  /// The C library adapts none of its limits any more once one is set. What is larger than the last one gets, and gives
  /// back, pages of its own: a page of ticks or the text of a batch is not.
  static func keep() {
    mallopt(M_TRIM_THRESHOLD, 8 << 20)
    mallopt(M_TOP_PAD, 256 << 10)
    mallopt(M_MMAP_THRESHOLD, 4 << 20)
  }
}
