-- Why: people look into a conversation, into what could not be used, and into ratings.

CREATE TABLE journal (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL,
    address      text NOT NULL DEFAULT '',
    account      text NOT NULL DEFAULT '',
    conversation text NOT NULL DEFAULT '',
    command      text NOT NULL DEFAULT '',
    what         text NOT NULL CHECK (what <> ''),
    detail       text NOT NULL DEFAULT ''
);

CREATE INDEX journal_address ON journal (address, id);
CREATE INDEX journal_at ON journal USING brin (at);

CREATE TABLE dead_letters (
    id        text PRIMARY KEY CHECK (id <> ''),
    source    text NOT NULL DEFAULT '',
    channel   text NOT NULL DEFAULT '',
    consumer  text NOT NULL DEFAULT '',
    account   text NOT NULL DEFAULT '',
    dialog    text NOT NULL DEFAULT '',
    reason    text NOT NULL,
    code      text NOT NULL DEFAULT '',
    body      bytea NOT NULL DEFAULT '',
    attempts  integer NOT NULL DEFAULT 0,
    buried_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX dead_letters_buried_at ON dead_letters (buried_at);

CREATE TABLE ratings (
    account      text NOT NULL,
    conversation text NOT NULL,
    channel      text NOT NULL,
    consumer     text NOT NULL,
    csat         smallint CHECK (csat BETWEEN 1 AND 5),
    resolved     boolean,
    status       text NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (account, conversation)
);

CREATE INDEX ratings_at ON ratings (at);

---- create above / drop below ----

DROP TABLE ratings, dead_letters, journal;
