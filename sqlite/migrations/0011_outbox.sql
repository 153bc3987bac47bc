-- What is announced, beside that it is: the transaction as the change left it,
-- what a station did, the message that was put into quarantine.
ALTER TABLE outbox ADD COLUMN state TEXT;
ALTER TABLE outbox ADD COLUMN detail TEXT;
ALTER TABLE outbox ADD COLUMN inserted_at INTEGER;
ALTER TABLE outbox ADD COLUMN quarantine_id INTEGER;
