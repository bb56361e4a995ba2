-- Why: a cloud conversation is reached by its address, and an address by its open conversation.

-- The consumer whom the cloud names by an identity of its own.
CREATE TABLE consumers (
    account  text NOT NULL,
    lp_id    text NOT NULL,
    channel  text NOT NULL,
    consumer text NOT NULL,
    address  text NOT NULL,
    known_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, lp_id)
);

-- stream is the cloud conversation's, address the channel's, as in streams.
CREATE TABLE bindings (
    stream       text PRIMARY KEY,
    account      text NOT NULL CHECK (account <> ''),
    conversation text NOT NULL CHECK (conversation <> ''),
    address      text NOT NULL CHECK (address <> ''),
    channel      text NOT NULL,
    consumer     text NOT NULL,
    bound_at     timestamptz NOT NULL DEFAULT now(),
    closed_at    timestamptz CHECK (closed_at >= bound_at)
);

CREATE INDEX bindings_open ON bindings (account, address, bound_at) WHERE closed_at IS NULL;

---- create above / drop below ----

DROP TABLE bindings, consumers;
