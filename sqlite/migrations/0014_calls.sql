-- What clients and the command line asked for, and the replies to calls with an
-- Idempotency-Key.

CREATE TABLE calls (
  seq            INTEGER PRIMARY KEY,
  at             INTEGER NOT NULL,
  by             TEXT NOT NULL,
  kind           TEXT,
  name           TEXT,
  source         TEXT,
  request_id     TEXT,
  method         TEXT,
  operation      TEXT NOT NULL,
  path           TEXT,
  station        TEXT,
  transaction_id INTEGER,
  status         INTEGER,
  code           TEXT,
  body           TEXT,
  replayed       INTEGER NOT NULL
) STRICT;
CREATE INDEX calls_by_time ON calls (at);
CREATE INDEX calls_by_caller ON calls (by, at);
CREATE INDEX calls_by_operation ON calls (operation, at);
CREATE INDEX calls_by_station ON calls (station, at) WHERE station IS NOT NULL;
CREATE INDEX calls_by_transaction ON calls (transaction_id, at) WHERE transaction_id IS NOT NULL;
CREATE INDEX calls_by_status ON calls (status, at);

-- The oldest go first, so that the difference of the highest and the lowest seq
-- bounds how many there are.
CREATE TABLE kept_replies (
  seq        INTEGER PRIMARY KEY,
  credential TEXT NOT NULL,
  key        TEXT NOT NULL,
  digest     BLOB NOT NULL,
  request_id TEXT,
  at         INTEGER NOT NULL,
  reply      BLOB,
  UNIQUE (credential, key)
) STRICT;
CREATE INDEX kept_replies_by_time ON kept_replies (at);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('calls', 'calls_by_time', '10000000 1'),
  ('calls', 'calls_by_caller', '10000000 500000 1'),
  ('calls', 'calls_by_operation', '10000000 200000 1'),
  ('calls', 'calls_by_station', '5000000 1000 1'),
  ('calls', 'calls_by_transaction', '5000000 3 1'),
  ('calls', 'calls_by_status', '10000000 1000000 1'),
  ('kept_replies', 'kept_replies_by_time', '1000000 1'),
  ('kept_replies', 'sqlite_autoindex_kept_replies_1', '1000000 10000 1');
