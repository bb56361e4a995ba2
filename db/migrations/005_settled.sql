-- Why: what is finished can be proven (parley verify), trimmed by age, and a dead letter put back once.

-- Every event up to settled_seq was applied by a run that has ended, or found none
-- and starts none. What a running conversation has applied is in its state.
ALTER TABLE streams ADD COLUMN settled_seq bigint NOT NULL DEFAULT 0 CHECK (settled_seq >= 0);

-- settled_by is empty while a person may still want to do something about it:
-- 'sent', 'skipped', or 'redriven'.
ALTER TABLE dead_letters
    ADD COLUMN settled_at timestamptz,
    ADD COLUMN settled_by text NOT NULL DEFAULT '' CHECK ((settled_by = '') = (settled_at IS NULL)),
    ADD COLUMN redriven   integer NOT NULL DEFAULT 0 CHECK (redriven >= 0);

CREATE INDEX dead_letters_open ON dead_letters (buried_at, id) WHERE settled_at IS NULL;
CREATE INDEX dead_letters_settled_at ON dead_letters (settled_at) WHERE settled_at IS NOT NULL;

-- The only lines that say what became of a message.
CREATE INDEX journal_settles ON journal (command) WHERE what IN ('answered', 'skip');

-- Trimming by age reuses space, after which a BRIN index no longer tells old from
-- new. These grow at one end only, where their page is always in memory.
DROP INDEX inbox_stored_at, ledger_since, echoes_stored_at;
CREATE INDEX inbox_stored_at ON inbox (stored_at);
CREATE INDEX ledger_since ON ledger (since);
CREATE INDEX echoes_stored_at ON echoes (stored_at);
CREATE INDEX bindings_closed_at ON bindings (closed_at) WHERE closed_at IS NOT NULL;

---- create above / drop below ----

DROP INDEX bindings_closed_at, echoes_stored_at, ledger_since, inbox_stored_at, journal_settles, dead_letters_settled_at, dead_letters_open;
CREATE INDEX inbox_stored_at ON inbox USING brin (stored_at);
CREATE INDEX ledger_since ON ledger USING brin (since);
CREATE INDEX echoes_stored_at ON echoes USING brin (stored_at);
ALTER TABLE dead_letters DROP COLUMN redriven, DROP COLUMN settled_by, DROP COLUMN settled_at;
ALTER TABLE streams DROP COLUMN settled_seq;
