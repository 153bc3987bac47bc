-- What operators do with stations apart from charging, and what stations report
-- of themselves. The oldest of a station is forgotten when there are too many.

CREATE TABLE commands (
  seq         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  station     TEXT NOT NULL,
  action      TEXT,
  request     TEXT,
  by          TEXT,
  outcome     TEXT,
  status      TEXT,
  answer      TEXT,
  error       TEXT,
  asked_at    INTEGER,
  sent_at     INTEGER,
  answered_at INTEGER
) STRICT;
CREATE INDEX commands_by_time ON commands (asked_at);
CREATE INDEX commands_by_station ON commands (station, asked_at);
CREATE INDEX commands_by_action ON commands (action, asked_at);
CREATE INDEX commands_by_caller ON commands (by, asked_at);

CREATE TABLE notifications (
  seq         INTEGER PRIMARY KEY,
  station     TEXT NOT NULL,
  kind        TEXT NOT NULL,
  type        TEXT,
  info        TEXT,
  request_id  INTEGER,
  own         INTEGER NOT NULL,
  at          INTEGER,
  received_at INTEGER
) STRICT;
CREATE INDEX notifications_by_station ON notifications (station);
CREATE INDEX notifications_by_station_kind ON notifications (station, kind);
CREATE INDEX notifications_by_kind ON notifications (kind);
CREATE INDEX notifications_by_type ON notifications (type);
CREATE INDEX notifications_by_request ON notifications (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX notifications_by_receipt ON notifications (received_at);

CREATE TABLE certificates (
  seq          INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  station      TEXT NOT NULL,
  status       TEXT,
  request      TEXT,
  chain        TEXT,
  serial       TEXT,
  not_before   INTEGER,
  not_after    INTEGER,
  reason       TEXT,
  by           TEXT,
  requested_at INTEGER,
  updated_at   INTEGER
) STRICT;
CREATE INDEX certificates_by_time ON certificates (requested_at);
CREATE INDEX certificates_by_station ON certificates (station, requested_at);
CREATE INDEX certificates_by_status ON certificates (status, requested_at);

-- How many of these a station has: the oldest is found without counting.
CREATE TABLE device_counts (
  what    TEXT NOT NULL,
  station TEXT NOT NULL,
  number  INTEGER NOT NULL,
  PRIMARY KEY (what, station)
) STRICT, WITHOUT ROWID;

-- A station has one profile of a number, and one of a connector, purpose and
-- level (OCPP 1.6 §5.16).
CREATE TABLE charging_profiles (
  station      TEXT NOT NULL,
  id           INTEGER NOT NULL,
  connector    INTEGER NOT NULL,
  purpose      TEXT NOT NULL,
  stack_level  INTEGER NOT NULL,
  profile      TEXT NOT NULL,
  by           TEXT,
  installed_at INTEGER,
  PRIMARY KEY (station, id),
  UNIQUE (station, connector, purpose, stack_level)
) STRICT;

CREATE TABLE profile_templates (
  id         TEXT PRIMARY KEY,
  name       TEXT,
  profile    TEXT NOT NULL,
  created_at INTEGER,
  updated_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX profile_templates_by_time ON profile_templates (created_at);

CREATE TABLE local_lists (
  station    TEXT NOT NULL PRIMARY KEY,
  version    INTEGER NOT NULL,
  known      INTEGER NOT NULL,
  entries    TEXT,
  by         TEXT,
  updated_at INTEGER
) STRICT;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('commands', 'commands_by_time', '1000000 1'),
  ('commands', 'commands_by_station', '1000000 1000 1'),
  ('commands', 'commands_by_action', '1000000 50000 1'),
  ('commands', 'commands_by_caller', '1000000 20000 1'),
  ('notifications', 'notifications_by_station', '1000000 1000'),
  ('notifications', 'notifications_by_station_kind', '1000000 1000 500'),
  ('notifications', 'notifications_by_kind', '1000000 250000'),
  ('notifications', 'notifications_by_type', '1000000 20000'),
  ('notifications', 'notifications_by_request', '200000 20'),
  ('notifications', 'notifications_by_receipt', '1000000 1'),
  ('certificates', 'certificates_by_time', '100000 1'),
  ('certificates', 'certificates_by_station', '100000 10 1'),
  ('certificates', 'certificates_by_status', '100000 25000 1');
