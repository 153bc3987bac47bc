-- The files of days that were exported, and of those that are to be.
CREATE TABLE daily_runs (
  day         INTEGER PRIMARY KEY, -- its begin
  attempts    INTEGER NOT NULL,
  error       TEXT,                -- of the last attempt
  file        TEXT,
  rows        INTEGER NOT NULL,
  bytes       INTEGER NOT NULL,
  sha256      TEXT,
  finished_at INTEGER              -- NULL: it is to be done
) STRICT;

CREATE INDEX daily_runs_unfinished ON daily_runs (day) WHERE finished_at IS NULL;
