-- What became of quarantined messages, and by whom; and which of them tell of no
-- transaction, so that they can only be dismissed.
ALTER TABLE quarantine ADD COLUMN aside INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN dismissed_at INTEGER;
ALTER TABLE quarantine ADD COLUMN by TEXT;
ALTER TABLE quarantine ADD COLUMN note TEXT;
ALTER TABLE quarantine ADD COLUMN transaction_id INTEGER;
UPDATE quarantine SET aside = 1 WHERE action NOT IN ('StartTransaction', 'StopTransaction', 'MeterValues');

DROP INDEX quarantine_waiting;
CREATE INDEX quarantine_waiting ON quarantine (id) WHERE released_at IS NULL AND dismissed_at IS NULL;
CREATE INDEX quarantine_released ON quarantine (id) WHERE released_at IS NOT NULL AND dismissed_at IS NULL;
CREATE INDEX quarantine_dismissed ON quarantine (id) WHERE dismissed_at IS NOT NULL;
CREATE INDEX quarantine_of_station ON quarantine (station, id);
CREATE INDEX quarantine_waiting_of_station ON quarantine (station, id) WHERE released_at IS NULL AND dismissed_at IS NULL;
CREATE INDEX quarantine_aside ON quarantine (station) WHERE aside = 1 AND released_at IS NULL AND dismissed_at IS NULL;
