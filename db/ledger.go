package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"parley/message"
)

// intend writes the intents and tells what was there before, per row and under
// the row's lock: of two that intend the same command at the same time, the second
// finds the first one's intent.
const intend = `
INSERT INTO ledger AS l (command, state, attempts)
SELECT command, 'intended', 1 FROM unnest(@commands::text[]) AS t (command) ORDER BY command
ON CONFLICT (command) DO UPDATE SET
    found = l.state,
    state = CASE WHEN l.state = 'failed' THEN 'intended' ELSE l.state END,
    since = CASE WHEN l.state = 'failed' THEN now() ELSE l.since END,
    attempts = CASE WHEN l.state = 'failed' THEN l.attempts + 1 ELSE l.attempts END
RETURNING command, found, since, clock_timestamp() - since, attempts, account, conversation, dialog, sequence, ref, refs, parts, note`

// Intend writes down that the commands are about to be sent, and returns for each,
// in the order given, how far it got before. One never intended, or whose last
// attempt had no effect, has an empty State and is now intended; its Outcome holds
// what an earlier attempt recorded, such as the parts that went through. One that
// is Intended or Done is left as it is.
func (s *Store) Intend(ctx context.Context, commands []message.ID) ([]message.Entry, error) {
	unique := make([]string, len(commands))
	for i, c := range commands {
		unique[i] = toKey(string(c))
	}
	slices.Sort(unique)
	rows, err := s.pool.Query(ctx, intend, pgx.StrictNamedArgs{"commands": slices.Compact(unique)})
	if err != nil {
		return nil, fmt.Errorf("intend: %w", redacted(err))
	}
	found, err := pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return nil, fmt.Errorf("intend: %w", redacted(err))
	}
	byKey := make(map[string]message.Entry, len(found))
	for _, f := range found {
		byKey[f.key] = f.Entry
	}
	entries := make([]message.Entry, len(commands))
	for i, c := range commands {
		entries[i] = byKey[toKey(string(c))]
		entries[i].Command, entries[i].Outcome.Command = c, c
	}
	return entries, nil
}

type foundEntry struct {
	message.Entry
	key string
}

func scanEntry(row pgx.CollectableRow) (foundEntry, error) {
	var f foundEntry
	o := &f.Outcome
	err := row.Scan(&f.key, &f.State, &f.Since, &f.Age, &f.Attempts, &o.Account, &o.Conversation, &o.Dialog, &o.Sequence, &o.Ref, &o.Refs, &o.Parts, &o.Note)
	o.State = f.State
	if f.State == "" || f.State == message.Undone {
		f.State = ""
		f.Attempts-- // the one that begins now
	}
	o.Account, o.Conversation, o.Dialog, o.Ref = fromText(o.Account), fromText(o.Conversation), fromText(o.Dialog), fromText(o.Ref)
	o.Refs, o.Note = fromTexts(o.Refs), fromText(o.Note)
	return f, err
}

// record keeps the first success of a command whatever is said later.
const record = `
INSERT INTO ledger AS l (command, state, attempts, account, conversation, dialog, sequence, ref, refs, parts, note, recorded_at)
SELECT command, state, 1, account, conversation, dialog, sequence, ref, coalesce(string_to_array(nullif(refs, ''), chr(10)), '{}'), parts, note, now()
FROM unnest(@command::text[], @state::text[], @account::text[], @conversation::text[], @dialog::text[],
    @sequence::bigint[], @ref::text[], @refs::text[], @parts::int[], @note::text[])
    AS t (command, state, account, conversation, dialog, sequence, ref, refs, parts, note)
ORDER BY command
ON CONFLICT (command) DO UPDATE SET
    state = excluded.state, account = excluded.account, conversation = excluded.conversation, dialog = excluded.dialog,
    sequence = excluded.sequence, ref = excluded.ref, refs = excluded.refs, parts = excluded.parts, note = excluded.note,
    recorded_at = excluded.recorded_at
WHERE l.state <> 'done'`

// Record writes down what became of commands, in a commit shared with other lanes.
// A command that is Done stays as it is.
func (s *Store) Record(ctx context.Context, outcomes []message.Outcome) error {
	if len(outcomes) == 0 {
		return nil
	}
	return s.outcomes.do(ctx, "db: record", outcomes)
}

func (s *Store) storeOutcomes(ctx context.Context, group [][]message.Outcome) error {
	var command, state, account, conversation, dialog, ref, refs, note []string
	var sequence []int64
	var parts []int32
	for _, o := range latest(group) {
		command, state = append(command, toKey(string(o.Command))), append(state, string(o.State))
		account, conversation = append(account, toKey(o.Account)), append(conversation, toText(o.Conversation))
		dialog, sequence = append(dialog, toKey(o.Dialog)), append(sequence, int64(o.Sequence))
		ref, refs = append(ref, toText(o.Ref)), append(refs, joinRefs(o.Refs))
		parts, note = append(parts, int32(o.Parts)), append(note, toText(o.Note))
	}
	_, err := s.writes.Exec(ctx, record, pgx.StrictNamedArgs{
		"command": command, "state": state, "account": account, "conversation": conversation, "dialog": dialog,
		"sequence": sequence, "ref": ref, "refs": refs, "parts": parts, "note": note,
	})
	return err
}

// latest leaves one outcome per command, as a statement can write a row only once:
// the last, but the first that is Done.
func latest(group [][]message.Outcome) []message.Outcome {
	at := map[message.ID]int{}
	var out []message.Outcome
	for _, outcomes := range group {
		for _, o := range outcomes {
			i, known := at[o.Command]
			switch {
			case !known:
				at[o.Command] = len(out)
				out = append(out, o)
			case out[i].State != message.Done:
				out[i] = o
			}
		}
	}
	return out
}

// joinRefs makes one text of several, one per line; a line break within one is
// written as fromText reads it.
func joinRefs(refs []string) string {
	lines := make([]string, len(refs))
	for i, r := range refs {
		lines[i] = strings.ReplaceAll(toText(r), "\n", `\x0a`)
	}
	return strings.Join(lines, "\n")
}

const publishedRefs = `
SELECT ref FROM ledger
WHERE account = @account AND dialog = @dialog AND sequence = ANY(@sequences::bigint[]) AND state = 'done' AND dialog <> '' AND ref <> ''
ORDER BY sequence`

// Refs returns the provider's names of the consumer's messages that were published
// in a dialog at these sequences, where there are any.
func (s *Store) Refs(ctx context.Context, account, dialog string, sequences []int) ([]string, error) {
	refs, err := s.strings(ctx, publishedRefs, pgx.StrictNamedArgs{"account": toKey(account), "dialog": toKey(dialog), "sequences": sequences})
	if err != nil {
		return nil, fmt.Errorf("look up published messages: %w", err)
	}
	return fromTexts(refs), nil
}

// echo prefers the echo that bears the ID. Without one, the text must be the same
// and the echo must not be that of another message we know to be published.
const echo = `
(SELECT sequence, 0 AS rank FROM echoes WHERE scope = @scope AND key = @key AND key <> '')
UNION ALL
(SELECT sequence, 1 FROM echoes e
 WHERE scope = @scope AND dialog = @dialog AND digest = @digest AND key = '' AND digest <> '' AND stored_at >= @since
   AND NOT EXISTS (SELECT FROM ledger l WHERE l.account = e.scope AND l.dialog = e.dialog AND l.sequence = e.sequence
       AND l.state = 'done' AND l.dialog <> '' AND l.command <> @key)
 ORDER BY sequence LIMIT 1)
ORDER BY rank LIMIT 1`

// Echo looks for a sign of life of a command: by its ID; else, where the far side
// gave none back, by the digest of its text in the dialog, stored not before since.
func (s *Store) Echo(ctx context.Context, scope string, key message.ID, dialog string, digest []byte, since time.Time) (sequence int, found bool, err error) {
	row := s.pool.QueryRow(ctx, echo, pgx.StrictNamedArgs{
		"scope": toKey(scope), "key": toKey(string(key)), "dialog": toKey(dialog), "digest": toDigest(digest), "since": toTime(since),
	})
	var rank int
	found, err = scanned(row, &sequence, &rank)
	if err != nil {
		return 0, false, fmt.Errorf("look for echo: %w", err)
	}
	return sequence, found, nil
}

const claim = `
UPDATE ledger SET attempts = attempts + 1 WHERE command = @command AND state = 'intended'
RETURNING attempts`

// Claim takes up a command that is intended and whose effect takes long to prepare.
// The number it returns is what Proceed wants to see; a later Claim makes it void.
// ok is false when the command is not intended any more.
func (s *Store) Claim(ctx context.Context, command message.ID) (number int, ok bool, err error) {
	ok, err = scanned(s.pool.QueryRow(ctx, claim, pgx.StrictNamedArgs{"command": toKey(string(command))}), &number)
	if err != nil {
		return 0, false, fmt.Errorf("claim: %w", err)
	}
	return number, ok, nil
}

const proceed = `
UPDATE ledger SET since = clock_timestamp(), parts = greatest(parts, @parts) WHERE command = @command AND state = 'intended' AND attempts = @number`

// Proceed notes that the effect of a claimed command is about to happen: from now on
// its echo is waited for, and its Outcome has at least so many Parts. ok is false
// when somebody else has claimed or done it meanwhile.
func (s *Store) Proceed(ctx context.Context, command message.ID, number, parts int) (ok bool, err error) {
	tag, err := s.pool.Exec(ctx, proceed, pgx.StrictNamedArgs{"command": toKey(string(command)), "number": number, "parts": parts})
	if err != nil {
		return false, fmt.Errorf("proceed: %w", redacted(err))
	}
	return tag.RowsAffected() == 1, nil
}
