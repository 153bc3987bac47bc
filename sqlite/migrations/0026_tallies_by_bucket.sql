-- Tallies by bucket, and by class in each: what a span of time has is in one place,
-- for whatever classes. Buckets of 38 hours (axes 7, 8 and 9) come in between, so
-- that sums over a part of a wide bucket of 25 days need not go through all its
-- narrow ones of five hours.
CREATE TABLE tallies_by_bucket (
  axis   INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  class  INTEGER NOT NULL,
  n      INTEGER NOT NULL,
  low    INTEGER NOT NULL,
  high   INTEGER NOT NULL,
  PRIMARY KEY (axis, bucket, class)
) STRICT, WITHOUT ROWID;

INSERT INTO tallies_by_bucket (axis, bucket, class, n, low, high)
SELECT axis, bucket, class, n, low, high FROM tallies ORDER BY axis, bucket, class;
INSERT INTO tallies_by_bucket (axis, bucket, class, n, low, high)
SELECT 7 + (axis - 1) / 2, bucket >> 3, class, sum(n), min(low), max(high) FROM tallies WHERE axis IN (1, 3, 5)
GROUP BY axis, bucket >> 3, class;

DROP TABLE tallies;
ALTER TABLE tallies_by_bucket RENAME TO tallies;
