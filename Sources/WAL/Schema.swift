import Base

/// The tables and views of a new log; those of an older one become the same by ``Migration``.
package enum Schema {
  /// "TWAL": tells our files from other SQLite databases.
  static let applicationID: Int32 = 0x5457_414C
  /// Grows with every change that an older program must not touch.
  package static let version: Int32 = 2

  package static let tables = """
    CREATE TABLE ticks(
      offset INTEGER PRIMARY KEY,
      received_at INTEGER NOT NULL, -- microseconds since 1970, UTC
      event_time INTEGER,           -- milliseconds since 1970, UTC; NULL if the event has none
      stream TEXT NOT NULL,         -- btcusdt@miniTicker
      payload TEXT NOT NULL,        -- the event's JSON, byte for byte as received
      checksum INTEGER NOT NULL     -- CRC-32 of the columns before
    );
    CREATE TABLE consumers(
      name TEXT PRIMARY KEY,
      next_offset INTEGER NOT NULL, -- the one it reads next
      destination TEXT NOT NULL,    -- JSON
      updated_at INTEGER NOT NULL,  -- microseconds since 1970, UTC
      enabled INTEGER NOT NULL,     -- 0 or 1: whether the last start had it
      expired INTEGER NOT NULL DEFAULT 0 -- ticks not written because their TTL had passed
    ) WITHOUT ROWID;
    CREATE TABLE batches(
      consumer TEXT NOT NULL,
      first_offset INTEGER NOT NULL,
      last_offset INTEGER NOT NULL,
      destination TEXT NOT NULL,    -- the consumer's when it was planned, JSON
      bucket TEXT NOT NULL,         -- or the folder, for local objects
      key TEXT NOT NULL,
      rows INTEGER NOT NULL,
      sha256 TEXT NOT NULL,         -- of the uncompressed text, as last planned
      earlier_sha256 TEXT NOT NULL DEFAULT '[]', -- every other one ever planned, JSON array
      state TEXT NOT NULL CHECK (state IN ('planned', 'shipped')),
      planned_at INTEGER NOT NULL,  -- microseconds since 1970, UTC
      shipped_at INTEGER,
      PRIMARY KEY (consumer, first_offset)
    ) WITHOUT ROWID;
    CREATE INDEX open_batches ON batches(consumer, first_offset) WHERE state = 'planned';
    CREATE TABLE gaps(
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      started_at INTEGER NOT NULL,  -- microseconds since 1970, UTC: the last data before
      ended_at INTEGER,             -- the first data after; NULL while open
      cause TEXT NOT NULL CHECK (cause IN \(Gap.Cause.sqlList)),
      streams TEXT NOT NULL,        -- JSON array
      detail TEXT                   -- JSON: ids that were skipped, the exchange's words; or NULL
    );
    CREATE TABLE dead_letters(
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      offset INTEGER,               -- NULL for input that is no tick
      consumer TEXT NOT NULL,       -- or 'feed'
      cause TEXT NOT NULL,
      attempts INTEGER NOT NULL,
      payload BLOB NOT NULL,
      created_at INTEGER NOT NULL   -- microseconds since 1970, UTC
    );
    CREATE INDEX dead_letters_of ON dead_letters(consumer, id);
    CREATE TABLE skipped(
      consumer TEXT NOT NULL,
      first_offset INTEGER NOT NULL,
      last_offset INTEGER NOT NULL,
      why TEXT NOT NULL,
      created_at INTEGER NOT NULL   -- microseconds since 1970, UTC
    );
    CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    """

  /// Views for people. Times are UTC; a damaged payload opens up to NULLs.
  package static let views = """
    CREATE VIEW tick AS
      SELECT offset, \(utc("received_at")) AS received_at,
        \(utc("event_time * 1000")) AS event_time, stream,
        json_extract(event, '$.e') AS event_type, json_extract(event, '$.s') AS symbol,
        json_extract(event, '$.c') AS close_price, json_extract(event, '$.o') AS open_price,
        json_extract(event, '$.h') AS high_price, json_extract(event, '$.l') AS low_price,
        json_extract(event, '$.v') AS total_traded_volume,
        json_extract(event, '$.q') AS total_traded_base_asset_volume, payload
      FROM (SELECT *, CASE WHEN json_valid(payload) THEN payload END AS event FROM ticks);
    CREATE VIEW backlog AS
      SELECT name AS consumer, next_offset, head, head - next_offset + 1 AS lag,
        CASE WHEN next_offset > head THEN 0.0 ELSE round(max(0.0, (julianday('now') - 2440587.5) * 86400.0 -
          (SELECT received_at FROM ticks WHERE offset >= next_offset ORDER BY offset LIMIT 1) / 1e6), 3)
        END AS oldest_unshipped_seconds
      FROM consumers, (SELECT value AS head FROM meta WHERE key = 'head') WHERE enabled ORDER BY name;
    CREATE VIEW recent_gaps AS
      SELECT id, \(utc("started_at")) AS started_at, \(utc("ended_at")) AS ended_at,
        round(max(0, coalesce(ended_at, \(nowMicroseconds)) - started_at) / 1e6, 3) AS seconds, cause, streams, detail
      FROM gaps ORDER BY id DESC LIMIT 100;
    CREATE VIEW recent_batches AS
      SELECT consumer, first_offset, last_offset, rows, state, bucket, key, sha256,
        \(utc("planned_at")) AS planned_at, \(utc("shipped_at")) AS shipped_at
      FROM batches ORDER BY planned_at DESC, first_offset DESC LIMIT 100;
    CREATE VIEW completeness AS
      \(completeness);
    """

  /// The account of ``Completeness``, a row for each kind of stream; the view of it, also for logs that lack that.
  static let completeness = """
    SELECT json_extract(kind.value, '$.kind') AS kind, json_extract(kind.value, '$.streams') AS streams,
        json_extract(kind.value, '$.proven_streams') AS proven_streams,
        json_extract(kind.value, '$.ticks') AS ticks, json_extract(kind.value, '$.proven_ticks') AS proven_ticks
      FROM meta, json_each(CASE WHEN json_valid(meta.value) THEN meta.value ELSE '{}' END, '$.kinds') AS kind
      WHERE meta.key = 'completeness' ORDER BY kind.key
    """

  static let viewNames = ["tick", "backlog", "recent_gaps", "recent_batches", "completeness"]

  private static let nowMicroseconds = "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"

  /// Microseconds as `2026-11-21 05:13:20.123456`. Integer arithmetic, because a double holds
  /// no microseconds at today's dates; `strftime` takes whole seconds only.
  private static func utc(_ column: String) -> String {
    """
    CASE WHEN \(column) IS NOT NULL THEN \
    datetime((\(column) - ((\(column) % 1000000 + 1000000) % 1000000)) / 1000000, 'unixepoch') || \
    printf('.%06d', (\(column) % 1000000 + 1000000) % 1000000) END
    """
  }
}

extension Gap.Cause {
  /// All causes as a list in SQL.
  package static let sqlList = "(\(allCases.map { "'\($0)'" }.joined(separator: ", ")))"
}
