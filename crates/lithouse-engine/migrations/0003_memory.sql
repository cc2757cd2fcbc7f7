-- A JSON object of what is known of an app's crashes, for a server that takes over from another.
ALTER TABLE apps ADD COLUMN memory TEXT NOT NULL DEFAULT '{}';
