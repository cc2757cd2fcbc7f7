-- Apps that a folder or the configuration names. Two of them may share a folder, so both tables are made anew: SQLite takes no
-- constraint away, and dropping `apps` alone would take every release with it.
CREATE TABLE new_apps (
    id               TEXT PRIMARY KEY NOT NULL,
    key              TEXT UNIQUE,
    url              TEXT UNIQUE,
    name             TEXT NOT NULL,
    description      TEXT NOT NULL DEFAULT '',
    -- Who says that the app is there: deployed (uploaded), folder or configured.
    origin           TEXT NOT NULL,
    -- The folder of an app that is served in place; null for an uploaded one.
    folder           TEXT,
    -- A JSON object: how it is run, where that is not left to us.
    recipe           TEXT NOT NULL DEFAULT '{}',
    -- A JSON object of what it may take.
    limits           TEXT NOT NULL DEFAULT '{}',
    -- Tells the files of an app that is served in place from what they were when its process was started.
    fingerprint      TEXT,
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

INSERT INTO new_apps (id, key, url, name, description, origin, folder, desired, active, wanted, head, restart_on_crash, env,
                      cookie_secret, created_at, last_used_at)
SELECT id, key, url, name, description, iif(folder IS NULL, 'deployed', 'folder'), folder, desired, active, wanted, head,
       restart_on_crash, env, cookie_secret, created_at, last_used_at
FROM apps;

CREATE TABLE new_releases (
    app         TEXT NOT NULL REFERENCES new_apps (id) ON DELETE CASCADE,
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

INSERT INTO new_releases (app, number, state, served, entry, environment, reason, created_at)
SELECT app, number, state, served, entry, environment, reason, created_at FROM releases;

DROP TABLE releases;
DROP TABLE apps;
ALTER TABLE new_apps RENAME TO apps;
ALTER TABLE new_releases RENAME TO releases;
