-- Connectors that are kept free for an idTag. A number is a station's own.
CREATE TABLE reservations (
  station        TEXT NOT NULL,
  id             INTEGER NOT NULL,
  connector      INTEGER NOT NULL,
  token          TEXT,
  token_type     TEXT,
  parent         TEXT,
  expires_at     INTEGER NOT NULL,
  status         TEXT NOT NULL,
  answer         TEXT,
  by             TEXT,
  transaction_id INTEGER,
  created_at     INTEGER,
  ended_at       INTEGER,
  version        INTEGER NOT NULL,
  CHECK ((status = 'used') = (transaction_id IS NOT NULL)),
  PRIMARY KEY (station, id)
) STRICT;
CREATE INDEX reservations_by_station ON reservations (station, created_at, id);
CREATE INDEX reservations_by_station_status ON reservations (station, status);
CREATE INDEX reservations_by_end ON reservations (status, expires_at);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('reservations', 'reservations_by_station', '100000 100 1'),
  ('reservations', 'reservations_by_station_status', '100000 100 50'),
  ('reservations', 'reservations_by_end', '100000 20000 1');
