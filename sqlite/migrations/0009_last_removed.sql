-- When the station before this one under the identity was removed: what that one
-- was given lets nobody in. NULL for none.
ALTER TABLE stations ADD COLUMN last_removed_at INTEGER;
