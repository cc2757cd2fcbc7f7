CREATE TABLE apps (
    id               TEXT PRIMARY KEY NOT NULL,
    key              TEXT UNIQUE,
    url              TEXT UNIQUE,
    name             TEXT NOT NULL,
    description      TEXT NOT NULL DEFAULT '',
    -- The folder of an app that is served in place; null for an uploaded one.
    folder           TEXT UNIQUE,
    desired          TEXT NOT NULL,
    -- The release that visitors get, the one on its way to that, and the one whose files people read and edit.
    active           INTEGER,
    wanted           INTEGER,
    head             INTEGER NOT NULL,
    restart_on_crash INTEGER NOT NULL DEFAULT 1,
    -- A JSON object of the variables that people set.
    env              TEXT NOT NULL DEFAULT '{}',
    cookie_secret    TEXT NOT NULL,
    -- Times are milliseconds since 1970-01-01 UTC.
    created_at       INTEGER NOT NULL,
    last_used_at     INTEGER
) STRICT;

CREATE TABLE releases (
    app         TEXT NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    -- pending, ready or failed
    state       TEXT NOT NULL,
    -- Whether visitors ever got it.
    served      INTEGER NOT NULL DEFAULT 0,
    entry       TEXT NOT NULL,
    -- The key of its built environment, once there is one.
    environment TEXT,
    reason      TEXT,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (app, number)
) STRICT;
