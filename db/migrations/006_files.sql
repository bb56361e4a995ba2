-- Why: an agent's file is handed to a channel as a URL of ours, which outlives the cloud's minute.

-- The token is the only thing that is needed to read a file: it cannot be guessed.
-- A command has one file, however often it is tried.
CREATE TABLE files (
    token      text PRIMARY KEY CHECK (octet_length(token) >= 22),
    command    text NOT NULL UNIQUE CHECK (command <> ''),
    mime       text NOT NULL DEFAULT '',
    name       text NOT NULL DEFAULT '',
    size       bigint NOT NULL CHECK (size >= 0),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX files_created_at ON files (created_at);

-- Chunks keep what is in memory small, here and in the server. Pictures do not
-- become smaller by compression: it is not tried.
CREATE TABLE file_chunks (
    token text NOT NULL REFERENCES files (token) ON DELETE CASCADE,
    n     integer NOT NULL CHECK (n >= 0),
    body  bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 262144),
    PRIMARY KEY (token, n)
);

ALTER TABLE file_chunks ALTER COLUMN body SET STORAGE EXTERNAL;

---- create above / drop below ----

DROP TABLE file_chunks, files;
