-- The highest security profile above its registered one that a station came with,
-- which is the least that lets it in since; NULL for none.
ALTER TABLE station_credentials ADD COLUMN proven TEXT;
