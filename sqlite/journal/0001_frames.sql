-- The messages between stations and the server. AUTOINCREMENT: a number does
-- not come back when its row is deleted.
CREATE TABLE frames (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    station TEXT NOT NULL,
    at INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    type TEXT NOT NULL,
    message_id TEXT,
    action TEXT,
    transaction_id INTEGER,
    text TEXT
) STRICT;

-- What frames of a station are looked for by stands in the index, in the order
-- of the answer. One wide index costs less than one for each question.
CREATE INDEX frames_by_station ON frames (station, seq, at, action, type, sent);
CREATE INDEX frames_by_transaction ON frames (transaction_id) WHERE transaction_id IS NOT NULL;
