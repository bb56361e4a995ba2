-- Why: a webhook is acknowledged once its events are in the inbox, numbered in their stream.

-- One row for the whole installation.
CREATE TABLE installation (
    id         boolean PRIMARY KEY DEFAULT true CHECK (id),
    digest_key bytea NOT NULL CHECK (octet_length(digest_key) = 32),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One row per sequence of events. address is the channel stream of the address the
-- events go to: the stream itself for a channel, what it is bound to for a cloud
-- conversation, '' while that is not known.
--
-- pending is generated so that the partial indexes hold a column that seldom
-- changes: the counters themselves change with each event, and a change to an
-- indexed column, or one in a predicate, would make every update touch every index.
CREATE TABLE streams (
    stream         text PRIMARY KEY,
    channel        text NOT NULL DEFAULT '',
    consumer       text NOT NULL DEFAULT '',
    account        text NOT NULL DEFAULT '',
    conversation   text NOT NULL DEFAULT '',
    address        text NOT NULL DEFAULT '',
    last_seq       bigint NOT NULL DEFAULT 0 CHECK (last_seq >= 0),
    urgent_seq     bigint NOT NULL DEFAULT 0 CHECK (urgent_seq >= 0 AND urgent_seq <= last_seq),
    dispatched_seq bigint NOT NULL DEFAULT 0 CHECK (dispatched_seq >= 0),
    pending        boolean GENERATED ALWAYS AS (dispatched_seq < urgent_seq) STORED,
    waiting_since  timestamptz NOT NULL DEFAULT now(),
    opted_out      boolean NOT NULL DEFAULT false,
    reply          text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (account <> '' OR address = stream)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

CREATE INDEX streams_pending ON streams (stream) WHERE pending AND address <> '';
CREATE INDEX streams_unbound ON streams (stream) WHERE pending AND address = '';

-- body is bytea: no content can be refused by it, and it is never parsed by the server.
CREATE TABLE inbox (
    stream    text NOT NULL,
    seq       bigint NOT NULL CHECK (seq > 0),
    source    text NOT NULL,
    event_id  text NOT NULL,
    starts    boolean NOT NULL,
    body      bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, seq),
    CONSTRAINT inbox_once UNIQUE (source, event_id)
);

-- For trimming by age; events are kept for at least 8 days, as they de-duplicate.
CREATE INDEX inbox_stored_at ON inbox USING brin (stored_at);

---- create above / drop below ----

DROP TABLE inbox, streams, installation;
