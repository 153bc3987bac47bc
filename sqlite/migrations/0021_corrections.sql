-- What operators say of a transaction, and how often records of the registry were
-- changed, so that nobody overwrites what he has not seen.
ALTER TABLE transactions ADD COLUMN note TEXT;
ALTER TABLE transactions ADD COLUMN not_billable TEXT;
ALTER TABLE transactions ADD COLUMN corrected_at INTEGER;

ALTER TABLE stations ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tokens ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE vehicles ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
