package liveperson

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// node is a JSON object of which nothing is sure. What is missing, or of a type
// that cannot be read, is read as nothing.
type node map[string]any

// object reads an object and nothing behind it.
func object(raw []byte) node {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil
	}
	return asNode(v)
}

func asNode(v any) node {
	m, _ := v.(map[string]any)
	return m
}

func (n node) node(key string) node { return asNode(n[key]) }

// nodes returns a list's objects; a lone object is a list of one.
func (n node) nodes(key string) []node {
	var all []node
	for _, v := range n.list(key) {
		if m := asNode(v); m != nil {
			all = append(all, m)
		}
	}
	return all
}

func (n node) list(key string) []any {
	switch v := n[key].(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// text returns a string, also of a number or a truth.
func (n node) text(key string) string {
	s, _ := plain(n[key])
	return s
}

// word returns one of the protocol's own words, in capitals.
func (n node) word(key string) string {
	return strings.ToUpper(strings.TrimSpace(n.text(key)))
}

func (n node) time(key string) time.Time { return instant(n[key]) }

func plain(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return clean(v), true
	case json.Number:
		return v.String(), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// clean makes a text harmless to Postgres, whose jsonb and text hold no NUL.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// harmless is a value whose texts are clean.
func harmless(v any) any {
	switch v := v.(type) {
	case string:
		return clean(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = harmless(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, inner := range v {
			out[clean(k)] = harmless(inner)
		}
		return out
	default:
		return v
	}
}

// verbatim is a value as it came, fit to be kept in a database; nil for nothing.
// What is given back to the cloud says what the cloud said.
func verbatim(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := encode(harmless(v))
	if err != nil {
		return nil
	}
	return b
}

// integer reads a number, also one in quotes or with an empty fraction.
func integer(v any) (int64, bool) {
	s, ok := plain(v)
	if !ok {
		return 0, false
	}
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// sequence reads an event's number within its dialog.
func sequence(v any) (int, bool) {
	n, ok := integer(v)
	if !ok || n < 0 || n > math.MaxInt32 {
		return -1, false
	}
	return int(n), true
}

func boolean(v any) (value, ok bool) {
	s, _ := plain(v)
	value, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(s)))
	return value, err == nil
}

// angle reads degrees, of which none are beyond a limit.
func angle(v any, limit float64) (float64, bool) {
	s, ok := plain(v)
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return f, ok && err == nil && math.Abs(f) <= limit
}

// moment reads a moment in epoch seconds, or milliseconds: structured content has
// both.
func moment(v any) time.Time {
	if s, ok := integer(v); ok && s > 0 && s < 1e11 {
		return time.Unix(s, 0).UTC()
	}
	return instant(v)
}

// latest is the last moment that JSON's notation of a time can hold.
const latest = 253402300799999

// instant reads a moment in epoch milliseconds.
func instant(v any) time.Time {
	ms, ok := integer(v)
	if !ok || ms <= 0 || ms > latest {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// digest names a change by all it says: the order of its keys and the space
// between them do not matter.
func digest(n node) string {
	b, err := json.Marshal(n)
	if err != nil {
		return ""
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:16])
}
