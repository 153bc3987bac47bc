-- Indexes of a class in every order, each with all times: what they select need
-- not be looked up to be filtered, sorted and counted.
DROP INDEX transactions_by_station;
DROP INDEX transactions_by_start;
DROP INDEX transactions_by_stop;
DROP INDEX transactions_by_insertion;
DROP INDEX transactions_by_token;
DROP INDEX transactions_by_vehicle;
DROP INDEX transactions_by_charged_start;
DROP INDEX transactions_by_status;
CREATE INDEX transactions_in_order ON transactions (class, id, started_order, stopped_order, inserted_order);
CREATE INDEX transactions_by_start ON transactions (class, started_order, id, stopped_order, inserted_order);
CREATE INDEX transactions_by_stop ON transactions (class, stopped_order, id, started_order, inserted_order);
CREATE INDEX transactions_by_insertion ON transactions (class, inserted_order, id, started_order, stopped_order);
CREATE INDEX transactions_by_station ON transactions (station, id, class, started_order, stopped_order, inserted_order);
CREATE INDEX transactions_by_token ON transactions (token_fold, id, class, started_order, stopped_order, inserted_order);
CREATE INDEX transactions_by_vehicle ON transactions (vehicle_id, id, class, started_order, stopped_order, inserted_order);

DELETE FROM sqlite_stat1 WHERE idx IN ('transactions_by_station', 'transactions_by_start', 'transactions_by_stop',
  'transactions_by_insertion', 'transactions_by_token', 'transactions_by_vehicle', 'transactions_by_charged_start', 'transactions_by_status');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('transactions', 'transactions_in_order', '1000000 30000 1 1 1 1'),
  ('transactions', 'transactions_by_start', '1000000 30000 1 1 1 1'),
  ('transactions', 'transactions_by_stop', '1000000 30000 1 1 1 1'),
  ('transactions', 'transactions_by_insertion', '1000000 30000 1 1 1 1'),
  ('transactions', 'transactions_by_station', '1000000 1000 1 1 1 1 1'),
  ('transactions', 'transactions_by_token', '1000000 100 1 1 1 1 1'),
  ('transactions', 'transactions_by_vehicle', '1000000 100 1 1 1 1 1');
