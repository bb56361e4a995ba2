package db

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"parley/message"
)

// longestKey is how many bytes of a name are put into an index. Postgres refuses
// an index entry of more than about 2,700 bytes, and what a stranger's webhook
// holds must never be refused for its content.
const longestKey = 400

// toText makes s storable as text, which can hold neither NUL nor invalid UTF-8.
// fromText gives back exactly s; ordinary strings are stored as they are.
func toText(s string) string {
	if utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\\") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == 0, r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// fromText is the reverse of toText.
func fromText(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case s[i+1] == 'x' && i+3 < len(s):
			if v, err := hex.DecodeString(s[i+2 : i+4]); err == nil {
				b.Write(v)
			}
			i += 3
		default:
			b.WriteByte(s[i+1])
			i++
		}
	}
	return b.String()
}

// toKey makes s storable in an index: as toText, and a very long one is cut and
// told apart by its digest. It cannot be turned back.
func toKey(s string) string {
	t := toText(s)
	if len(t) <= longestKey {
		return t
	}
	sum := sha256.Sum256([]byte(t))
	return strings.ToValidUTF8(t[:longestKey/2], "") + "#" + hex.EncodeToString(sum[:])
}

// streamKey is the stream's name in the tables.
func streamKey(s message.Stream) string { return toKey(s.Key()) }

func addressKey(a message.Address) string {
	if a == (message.Address{}) {
		return ""
	}
	return streamKey(message.Stream{Address: a})
}

func cloudKey(account, conversation string) string {
	return streamKey(message.Stream{Account: account, Conversation: conversation})
}

// toTime keeps a time of the other side within what timestamptz can hold.
func toTime(t time.Time) time.Time {
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Unix(0, 0).UTC()
	}
	return t
}

func fromTexts(in []string) []string {
	if len(in) == 0 {
		return nil
	}
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = fromText(s)
	}
	return out
}
