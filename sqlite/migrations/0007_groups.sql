-- Groups in the form in which idTags are compared: what a group may run at once
-- is counted by it.
ALTER TABLE tokens ADD COLUMN parent_fold TEXT;
UPDATE tokens SET parent_fold = lower(parent);
CREATE INDEX tokens_of_group ON tokens (parent_fold) WHERE parent_fold IS NOT NULL;
CREATE INDEX tokens_unlisted ON tokens (fold) WHERE listed = 0;
CREATE INDEX tokens_blocked ON tokens (fold) WHERE status = 'Blocked';

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('tokens', 'tokens', '100000 1'),
  ('tokens', 'tokens_of_vehicle', '10000 2 1'),
  ('tokens', 'tokens_of_group', '50000 100 1'),
  ('tokens', 'tokens_unlisted', '1000 1'),
  ('tokens', 'tokens_blocked', '1000 1');
