-- Frames in blocks of many, of all stations in order: under load a row each
-- costs many times as much. What stands in the table frames stays until it is forgotten.
-- AUTOINCREMENT: a number does not come back when its row is deleted.
CREATE TABLE blocks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    frames INTEGER NOT NULL,
    earliest INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

INSERT INTO sqlite_sequence (name, seq) SELECT 'blocks', seq FROM sqlite_sequence WHERE name = 'frames';

-- In which blocks there are frames of a station, or about a transaction.
CREATE TABLE places (
    key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    blocks BLOB,
    PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;

-- What is forgotten goes by seq.
CREATE INDEX places_by_seq ON places (seq);
