-- The chain of hashes over events (see docs/formats/sqlite.md). It begins with the
-- first event from now on: those before have no hash, and never will.
CREATE TABLE chains (
  id       BLOB PRIMARY KEY,
  began    INTEGER NOT NULL,
  oldest   INTEGER NOT NULL,
  last     INTEGER NOT NULL,
  hash     BLOB
) STRICT, WITHOUT ROWID;
INSERT INTO chains (id, began, oldest, last, hash)
SELECT randomblob(16), n + 1, n + 1, n, NULL FROM (SELECT ifnull(max(seq), 0) AS n FROM events);

CREATE TABLE anchors (
  first  INTEGER PRIMARY KEY,
  before BLOB NOT NULL,
  at     INTEGER NOT NULL
) STRICT;
