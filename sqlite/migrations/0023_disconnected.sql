-- When the connection of a station ended: a server that starts finds those that
-- one before it had when it ended abruptly. What was before is not told.
ALTER TABLE stations ADD COLUMN disconnected_at INTEGER;
UPDATE stations SET disconnected_at = connected_at;
CREATE INDEX stations_connected ON stations (id) WHERE connected_at > ifnull(disconnected_at, 0);
