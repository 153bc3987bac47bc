-- What an operator says of stations that do not do as OCPP says, what was learnt
-- of them, when their clocks were last compared with ours, and the public keys
-- of their meters: told by themselves, and registered by an operator.
ALTER TABLE stations ADD COLUMN quirks TEXT;
ALTER TABLE stations ADD COLUMN habits TEXT;
ALTER TABLE stations ADD COLUMN clock_at INTEGER;
ALTER TABLE stations ADD COLUMN reported_keys TEXT;

CREATE TABLE meter_keys (
  station   TEXT NOT NULL,
  id        TEXT NOT NULL,
  connector INTEGER NOT NULL,
  serial    TEXT,
  public    BLOB NOT NULL,
  curve     TEXT,
  note      TEXT,
  added_at  INTEGER,
  added_by  TEXT,
  PRIMARY KEY (station, id)
) STRICT, WITHOUT ROWID;
