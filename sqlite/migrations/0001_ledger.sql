-- The ledger, the registry and credentials. docs/formats/sqlite.md explains
-- tables, columns and units. Times are microseconds since 1970 in UTC; an
-- unknown time, number or text is NULL.

-- The facts. They never change, and none is ever deleted. Keys come before
-- stations in the index: most begin with the transaction's number, so that what
-- many stations report at a time lies together and a commit writes few pages.
CREATE TABLE events (
  seq            INTEGER PRIMARY KEY,
  station        TEXT NOT NULL,
  key            TEXT NOT NULL,
  kind           INTEGER NOT NULL,
  transaction_id INTEGER,
  at             INTEGER,
  received_at    INTEGER,
  digest         TEXT,
  body           TEXT NOT NULL,
  chain          BLOB,
  hash           BLOB,
  UNIQUE (key, station)
) STRICT;
CREATE INDEX events_of_transaction ON events (transaction_id) WHERE transaction_id IS NOT NULL;

-- What the facts make. The columns …_order sort an unknown time as the newest;
-- charged marks charging events with a known start.
CREATE TABLE transactions (
  id                INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 2147483647),
  public_id         TEXT NOT NULL UNIQUE,
  station           TEXT NOT NULL,
  connector         INTEGER NOT NULL,
  token             TEXT,
  token_type        TEXT,
  token_fold        TEXT,
  vehicle_id        TEXT,
  status            INTEGER NOT NULL CHECK (status BETWEEN 1 AND 8),
  remote            INTEGER NOT NULL,
  metadata          TEXT,
  requested_at      INTEGER,
  expires_at        INTEGER,
  started_at        INTEGER,
  start_received_at INTEGER,
  stopped_at        INTEGER,
  stop_received_at  INTEGER,
  meter_start       INTEGER,
  meter_stop        INTEGER,
  reservation       INTEGER,
  stop_token        TEXT,
  stop_token_type   TEXT,
  stop_reason       TEXT,
  stop_reason_text  TEXT,
  close_reason      TEXT,
  energy            INTEGER CHECK (energy >= 0),
  energy_source     TEXT,
  power             REAL,
  initial_soc       REAL,
  end_soc           REAL,
  session_start     INTEGER,
  session_end       INTEGER,
  flags             INTEGER NOT NULL,
  stop_round        INTEGER NOT NULL,
  due_at            INTEGER,
  updated_at        INTEGER,
  inserted_at       INTEGER,
  revision          INTEGER NOT NULL,
  version           INTEGER NOT NULL,
  start_key         TEXT,
  evidence          TEXT NOT NULL,
  started_order     INTEGER NOT NULL AS (ifnull(started_at, 9223372036854775807)) VIRTUAL,
  stopped_order     INTEGER NOT NULL AS (ifnull(stopped_at, 9223372036854775807)) VIRTUAL,
  inserted_order    INTEGER NOT NULL AS (ifnull(inserted_at, 9223372036854775807)) VIRTUAL,
  charged           INTEGER NOT NULL AS (start_key IS NOT NULL AND status IN (2, 3, 4)) VIRTUAL,
  CHECK (status <> 4 OR inserted_at IS NOT NULL)
) STRICT;

-- What the ledger asks at every report.
CREATE UNIQUE INDEX transactions_pending ON transactions (station, connector) WHERE status = 1;
CREATE INDEX transactions_open ON transactions (station) WHERE status IN (1, 2, 3);
CREATE INDEX transactions_unstarted ON transactions (station, updated_at) WHERE start_key IS NULL;
CREATE INDEX transactions_on_connector ON transactions (station, connector) WHERE start_key IS NOT NULL;
CREATE INDEX transactions_open_with ON transactions (token_fold) WHERE status IN (2, 3);
CREATE INDEX transactions_due ON transactions (due_at) WHERE due_at IS NOT NULL;

-- What lists filter and sort by. Each ends in the number by itself.
CREATE INDEX transactions_by_station ON transactions (station);
CREATE INDEX transactions_by_station_start ON transactions (station, started_order);
CREATE INDEX transactions_by_start ON transactions (started_order);
CREATE INDEX transactions_by_stop ON transactions (stopped_order);
CREATE INDEX transactions_by_insertion ON transactions (inserted_order);
CREATE INDEX transactions_by_token ON transactions (token_fold);
CREATE INDEX transactions_by_vehicle ON transactions (vehicle_id);
CREATE INDEX transactions_by_charged_start ON transactions (charged, started_order);
CREATE INDEX transactions_by_status ON transactions (status);

-- Announcements for whoever follows the ledger. AUTOINCREMENT: a number must
-- not come back when old rows were deleted.
CREATE TABLE outbox (
  seq            INTEGER PRIMARY KEY AUTOINCREMENT,
  topic          TEXT NOT NULL,
  station        TEXT,
  transaction_id INTEGER,
  version        INTEGER NOT NULL,
  at             INTEGER
) STRICT;

-- Messages that had to be refused or could not be attributed.
CREATE TABLE quarantine (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  station     TEXT NOT NULL,
  key         TEXT,
  action      TEXT,
  frame       TEXT,
  reason      TEXT,
  received_at INTEGER,
  released_at INTEGER
) STRICT;
CREATE INDEX quarantine_by_station ON quarantine (station, key);
CREATE INDEX quarantine_waiting ON quarantine (id) WHERE released_at IS NULL;

CREATE TABLE stations (
  id            TEXT PRIMARY KEY,
  public_id     TEXT NOT NULL UNIQUE,
  name          TEXT,
  location      TEXT,
  registration  TEXT,
  listed        INTEGER NOT NULL,
  registered_at INTEGER,
  removed_at    INTEGER,
  vendor        TEXT,
  model         TEXT,
  serial        TEXT,
  firmware      TEXT,
  protocol      TEXT,
  booted_at     INTEGER,
  connected_at  INTEGER,
  seen_at       INTEGER,
  heartbeat_at  INTEGER,
  clock_skew    INTEGER NOT NULL,
  start_timeout INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE connectors (
  station    TEXT NOT NULL,
  number     INTEGER NOT NULL,
  status     TEXT,
  error_code TEXT,
  info       TEXT,
  at         INTEGER,
  updated_at INTEGER,
  plugged_at INTEGER,
  PRIMARY KEY (station, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  fold       TEXT PRIMARY KEY,
  value      TEXT NOT NULL,
  status     TEXT,
  expiry     INTEGER,
  parent     TEXT,
  max_active INTEGER NOT NULL,
  vehicle_id TEXT,
  note       TEXT,
  listed     INTEGER NOT NULL,
  created_at INTEGER,
  seen_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_of_vehicle ON tokens (vehicle_id) WHERE vehicle_id IS NOT NULL;

CREATE TABLE vehicles (
  id         TEXT PRIMARY KEY,
  name       TEXT,
  created_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
  id           TEXT PRIMARY KEY,
  name         TEXT,
  scopes       TEXT,
  prefix       TEXT,
  hash         BLOB NOT NULL UNIQUE,
  created_at   INTEGER,
  last_used_at INTEGER,
  revoked_at   INTEGER,
  version      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE clients (
  id           TEXT PRIMARY KEY,
  name         TEXT,
  scopes       TEXT,
  created_at   INTEGER,
  last_used_at INTEGER,
  revoked_at   INTEGER,
  version      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE client_secrets (
  client     TEXT NOT NULL,
  place      INTEGER NOT NULL,
  id         TEXT NOT NULL,
  hash       BLOB NOT NULL,
  created_at INTEGER,
  PRIMARY KEY (client, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE revocations (
  access_token_id TEXT PRIMARY KEY,
  expires_at      INTEGER,
  revoked_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_by_end ON revocations (expires_at);

CREATE TABLE station_credentials (
  station    TEXT PRIMARY KEY,
  profile    TEXT NOT NULL,
  hash       BLOB NOT NULL,
  created_at INTEGER,
  updated_at INTEGER,
  version    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Single values of the store itself.
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('last_id', 0), ('probe', 0);

-- What the planner shall take the tables for, whatever is in them: plans that
-- are right for a large ledger are no worse for a small one, and they do not
-- change overnight. See https://www.sqlite.org/fileformat2.html#stat1tab: rows
-- of the index, then rows for each value of its first column, first two …
ANALYZE meta;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('transactions', 'transactions_pending', '100 2 1'),
  ('transactions', 'transactions_open', '2000 2'),
  ('transactions', 'transactions_unstarted', '20000 20 1'),
  ('transactions', 'transactions_on_connector', '1000000 1000 500'),
  ('transactions', 'transactions_open_with', '2000 2'),
  ('transactions', 'transactions_due', '1000 1'),
  ('transactions', 'transactions_by_station', '1000000 1000'),
  ('transactions', 'transactions_by_station_start', '1000000 1000 1'),
  ('transactions', 'transactions_by_start', '1000000 1'),
  ('transactions', 'transactions_by_stop', '1000000 1'),
  ('transactions', 'transactions_by_insertion', '1000000 1'),
  ('transactions', 'transactions_by_token', '1000000 100'),
  ('transactions', 'transactions_by_vehicle', '1000000 100'),
  ('transactions', 'transactions_by_charged_start', '1000000 1000000 1'),
  ('transactions', 'transactions_by_status', '1000000 200000'),
  ('events', 'events_of_transaction', '10000000 10');
