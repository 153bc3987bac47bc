-- Credentials that are limited to chargers and sites, that end by themselves,
-- that are disabled for a while, and keys that are replaced without an
-- interruption.
ALTER TABLE stations ADD COLUMN site TEXT;
CREATE INDEX stations_by_site ON stations (site, id) WHERE site IS NOT NULL;

ALTER TABLE api_keys ADD COLUMN limited_to TEXT;
ALTER TABLE api_keys ADD COLUMN expires_at INTEGER;
ALTER TABLE api_keys ADD COLUMN disabled_at INTEGER;
ALTER TABLE api_keys ADD COLUMN old_hash BLOB;
ALTER TABLE api_keys ADD COLUMN old_until INTEGER;
CREATE UNIQUE INDEX api_keys_by_old_hash ON api_keys (old_hash) WHERE old_hash IS NOT NULL;

ALTER TABLE clients ADD COLUMN limited_to TEXT;
ALTER TABLE clients ADD COLUMN expires_at INTEGER;
ALTER TABLE clients ADD COLUMN disabled_at INTEGER;

ALTER TABLE client_secrets ADD COLUMN prefix TEXT;
ALTER TABLE client_secrets ADD COLUMN expires_at INTEGER;
ALTER TABLE client_secrets ADD COLUMN last_used_at INTEGER;
