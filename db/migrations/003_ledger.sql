-- Why: what was sent must not be sent again, and what is uncertain is settled by its echo.

-- found is the state in which the latest intent found the row: it lets one
-- statement write the intent and tell what was there before.
CREATE TABLE ledger (
    command      text PRIMARY KEY,
    state        text NOT NULL CHECK (state IN ('intended', 'done', 'failed')),
    found        text NOT NULL DEFAULT '' CHECK (found IN ('', 'intended', 'done', 'failed')),
    since        timestamptz NOT NULL DEFAULT now(),
    attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    account      text NOT NULL DEFAULT '',
    conversation text NOT NULL DEFAULT '',
    dialog       text NOT NULL DEFAULT '',
    sequence     bigint NOT NULL DEFAULT -1,
    ref          text NOT NULL DEFAULT '',
    refs         text[] NOT NULL DEFAULT '{}',
    parts        integer NOT NULL DEFAULT 0,
    note         text NOT NULL DEFAULT '',
    recorded_at  timestamptz
) WITH (fillfactor = 80);

CREATE INDEX ledger_published ON ledger (account, dialog, sequence) WHERE state = 'done' AND dialog <> '';
CREATE INDEX ledger_since ON ledger USING brin (since);

-- key is our ID where the echo bears it, else the digest of the text counts.
CREATE TABLE echoes (
    scope     text NOT NULL,
    key       text NOT NULL DEFAULT '',
    dialog    text NOT NULL DEFAULT '',
    sequence  bigint NOT NULL DEFAULT -1,
    digest    bytea NOT NULL DEFAULT '',
    at        timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    CHECK (octet_length(digest) <= 64)
);

CREATE UNIQUE INDEX echoes_key ON echoes (scope, key) WHERE key <> '';
CREATE UNIQUE INDEX echoes_digest ON echoes (scope, dialog, digest, sequence) WHERE key = '';
CREATE INDEX echoes_stored_at ON echoes USING brin (stored_at);

---- create above / drop below ----

DROP TABLE echoes, ledger;
