-- Where events are sent to. Secrets are sealed with a key that is not in here.
CREATE TABLE webhooks (
  id            TEXT PRIMARY KEY,
  url           TEXT NOT NULL,
  events        TEXT,
  description   TEXT,
  secret        BLOB NOT NULL,
  former        BLOB,
  former_until  INTEGER,
  paused        TEXT,
  paused_at     INTEGER,
  failing_since INTEGER,
  cursor        INTEGER NOT NULL,
  reach         TEXT,
  by            TEXT,
  created_at    INTEGER,
  updated_at    INTEGER,
  version       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is on its way, and what became of it. Pending deliveries of one line are
-- sent one after the other: head marks the first.
CREATE TABLE deliveries (
  place          INTEGER PRIMARY KEY,
  id             TEXT NOT NULL UNIQUE,
  webhook        TEXT NOT NULL,
  seq            INTEGER NOT NULL,
  event          TEXT NOT NULL,
  station        TEXT,
  transaction_id INTEGER,
  line           TEXT NOT NULL,
  status         TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'dead')),
  head           INTEGER NOT NULL,
  attempts       INTEGER NOT NULL,
  since          INTEGER NOT NULL,
  next_at        INTEGER,
  created_at     INTEGER NOT NULL,
  ended_at       INTEGER,
  log            TEXT,
  body           BLOB
) STRICT;
CREATE UNIQUE INDEX deliveries_by_seq ON deliveries (webhook, seq);
CREATE INDEX deliveries_due ON deliveries (webhook, next_at, seq) WHERE head = 1;
CREATE INDEX deliveries_in_line ON deliveries (webhook, line, seq) WHERE status = 'pending';
CREATE INDEX deliveries_waiting ON deliveries (webhook, since) WHERE status = 'pending';
CREATE INDEX deliveries_pending ON deliveries (webhook, seq) WHERE status = 'pending';
CREATE INDEX deliveries_dead ON deliveries (webhook, seq) WHERE status = 'dead';
CREATE INDEX deliveries_by_event ON deliveries (webhook, event, seq);
CREATE INDEX deliveries_by_transaction ON deliveries (webhook, transaction_id, seq) WHERE transaction_id IS NOT NULL;
CREATE INDEX deliveries_ended ON deliveries (status, ended_at) WHERE ended_at IS NOT NULL;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('deliveries', 'deliveries_by_seq', '1000000 50000 1'),
  ('deliveries', 'deliveries_due', '10000 500 1 1'),
  ('deliveries', 'deliveries_in_line', '100000 5000 5 1'),
  ('deliveries', 'deliveries_waiting', '100000 5000 1'),
  ('deliveries', 'deliveries_pending', '100000 5000 1'),
  ('deliveries', 'deliveries_dead', '10000 500 1'),
  ('deliveries', 'deliveries_by_event', '1000000 50000 5000 1'),
  ('deliveries', 'deliveries_by_transaction', '1000000 50000 5 1'),
  ('deliveries', 'deliveries_ended', '900000 450000 1');
