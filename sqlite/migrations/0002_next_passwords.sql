-- Hashes of the passwords that a station was sent and has not used yet, 32 bytes
-- each, the oldest first.
ALTER TABLE station_credentials ADD COLUMN next_hashes BLOB;
