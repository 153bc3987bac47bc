-- What makes lists of many transactions fast, and their totals: a class, which
-- says all that few values can say (connector, status, remote, whether there is
-- a start, how far the times lie apart), indexes that hold all that lists filter
-- and sort by, and tallies of how many there are.
ALTER TABLE transactions ADD COLUMN class INTEGER AS (
  iif(connector BETWEEN 0 AND 30, connector, 31) * 256 + status * 16 + remote * 8 + (start_key IS NOT NULL) * 4 +
  CASE
    WHEN stopped_at IS NULL AND inserted_at IS NULL THEN 0
    WHEN started_at IS NULL OR stopped_at < started_at THEN 3
    WHEN max(ifnull(stopped_at, started_at), ifnull(inserted_at, started_at)) - min(started_at, ifnull(inserted_at, started_at)) <= 43200000000 THEN 0
    WHEN max(ifnull(stopped_at, started_at), ifnull(inserted_at, started_at)) - min(started_at, ifnull(inserted_at, started_at)) <= 345600000000 THEN 1
    WHEN max(ifnull(stopped_at, started_at), ifnull(inserted_at, started_at)) - min(started_at, ifnull(inserted_at, started_at)) <= 2764800000000 THEN 2
    ELSE 3
  END) VIRTUAL;

-- How many transactions of a class have a time in a span, and the lowest and
-- highest number that any of them ever had.
CREATE TABLE tallies (
  axis   INTEGER NOT NULL,
  class  INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  n      INTEGER NOT NULL,
  low    INTEGER NOT NULL,
  high   INTEGER NOT NULL,
  PRIMARY KEY (axis, class, bucket)
) STRICT, WITHOUT ROWID;

-- How many transactions a station, an idTag or a vehicle has.
CREATE TABLE owner_tallies (
  kind    INTEGER NOT NULL,
  owner   TEXT NOT NULL,
  listed  INTEGER NOT NULL,
  charged INTEGER NOT NULL,
  PRIMARY KEY (kind, owner)
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('tallied', 0);
