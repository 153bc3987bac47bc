-- The number of the last record of the daybook whose entries stand in the tables.
INSERT INTO meta (name, value) VALUES ('posted', 0);
