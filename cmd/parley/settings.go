package main

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"
)

// ConfigError is everything that is wrong with the environment, one line for each
// variable that must be changed. The command then ends with exit status 2.
type ConfigError struct {
	Problems []string // each begins with the variable's name and says what to do
	Warnings []string // Config.Warnings: one of them may be what caused a problem
}

func (e *ConfigError) Error() string {
	return strings.Join(slices.Concat(e.Problems, e.Warnings), "\n")
}

// Secret is a value that no log and no error shows.
type Secret string

func (s Secret) String() string { return redacted(string(s)) }

// GoString keeps the value out of %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps the value out of JSON logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Secrets are values that are all accepted from the other side; the first is the
// one we use ourselves. It can be assigned to a []string.
type Secrets []string

func (s Secrets) String() string { return redacted(strings.Join(s, "")) }

// GoString keeps the values out of %#v.
func (s Secrets) GoString() string { return s.String() }

// MarshalText keeps the values out of JSON logs.
func (s Secrets) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func redacted(s string) string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// settings reads variables one by one and remembers what was wrong with each, so
// that all is reported at once; envconfig.Process would stop at the first. It also
// remembers which names were asked for: any other PARLEY_ name is a typing error.
type settings struct {
	lookup   envconfig.Lookuper
	asked    map[string]bool
	problems []string
	warnings []string
	idle     bool // what is read now is not used by this command: no problems, no files
}

func newSettings(l envconfig.Lookuper) *settings {
	return &settings{lookup: l, asked: map[string]bool{}}
}

func (s *settings) problem(name, format string, args ...any) {
	if !s.idle {
		s.problems = append(s.problems, name+": "+fmt.Sprintf(format, args...))
	}
}

// err returns all problems, in the order of their variables' names.
func (s *settings) err() error {
	if len(s.problems) == 0 {
		return nil
	}
	slices.Sort(s.problems)
	return &ConfigError{Problems: slices.Compact(s.problems), Warnings: s.warnings}
}

// text returns a variable's value without white space around it; a variable that
// is set to nothing counts as not set.
func (s *settings) text(name, standard string) string {
	s.asked[name] = true
	if v, _ := s.lookup.Lookup(name); strings.TrimSpace(v) != "" {
		return strings.TrimSpace(v)
	}
	return standard
}

func (s *settings) required(name, what string) string {
	v := s.text(name, "")
	if v == "" {
		s.problem(name, "is not set; set it to %s", what)
	}
	return v
}

// word is required and has no white space and no slash in it: it becomes part of a
// path.
func (s *settings) word(name, what string) string {
	v := s.required(name, what)
	if strings.ContainsAny(v, "/ \t\r\n?#") {
		s.problem(name, "holds a space, a slash, ? or #; set it to %s", what)
	}
	return v
}

// secret reads name, or the file that name_FILE points to, whose last line break
// is not part of it.
func (s *settings) secret(name, what string) string {
	file := name + "_FILE"
	direct, path := s.text(name, ""), s.text(file, "")
	switch {
	case direct != "" && path != "":
		s.problem(name, "is set, and so is %s; keep one of them", file)
		return direct
	case direct != "":
		return direct
	case path == "":
		s.problem(name, "is not set; set it, or %s, to %s", file, what)
		return ""
	case s.idle:
		return ""
	}
	b, err := os.ReadFile(path)
	if err != nil {
		s.problem(file, "names a file that cannot be read; check the path and its permissions")
		return ""
	}
	v := strings.TrimRight(string(b), "\r\n")
	if strings.TrimSpace(v) == "" {
		s.problem(file, "names an empty file; put %s into it", what)
	}
	return v
}

// secrets reads a comma-separated list of secrets.
func (s *settings) secrets(name, what string) Secrets {
	v := s.secret(name, what)
	if v == "" {
		return nil
	}
	list := strings.Split(v, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
		if list[i] == "" {
			s.problem(name, "has an empty entry; remove the comma too many")
			return nil
		}
	}
	return list
}

// leastKey is how many bytes a signing secret must have: fewer can be guessed.
const leastKey = 16

// signingSecrets reads secrets of Standard Webhooks: "whsec_" and Base64.
func (s *settings) signingSecrets(name string) Secrets {
	list := s.secrets(name, `a secret such as "whsec_" and 24 to 64 random bytes in Base64`)
	for _, v := range list {
		raw, ok := strings.CutPrefix(v, "whsec_")
		key, err := base64.StdEncoding.DecodeString(raw)
		switch {
		case !ok:
			s.problem(name, `has an entry that does not begin with "whsec_"; write whsec_ and the secret in Base64`)
		case err != nil:
			s.problem(name, `has an entry whose part after "whsec_" is not Base64; encode it with "base64"`)
		case len(key) < leastKey:
			s.problem(name, `has an entry of fewer than %d bytes after "whsec_"; make one with "openssl rand -base64 32"`, leastKey)
		}
	}
	return list
}

// list reads a comma-separated list; empty entries are dropped.
func (s *settings) list(name string) []string {
	var out []string
	for v := range strings.SplitSeq(s.text(name, ""), ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// languageShape is a language tag, as far as we look into one.
var languageShape = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

var nameShape = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// names reads the names of accounts or channels: lower-case letters, digits and
// hyphens, each once. Only well-formed ones are returned.
func (s *settings) names(name, what string) []string {
	var out []string
	all := s.list(name)
	if len(all) == 0 {
		s.problem(name, "is not set; set it to %s", what)
	}
	for _, v := range all {
		switch {
		case !nameShape.MatchString(v):
			s.problem(name, "%q is not a name; use lower-case letters, digits and hyphens", v)
		case slices.Contains(out, v):
			s.problem(name, "%q is there twice; remove one", v)
		default:
			out = append(out, v)
		}
	}
	return out
}

// variable returns a name's form within variables: "my-sms" is MY_SMS.
func variable(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

func (s *settings) duration(name string, standard, least, most time.Duration) time.Duration {
	v := s.text(name, "")
	if v == "" {
		return standard
	}
	d, err := time.ParseDuration(v)
	switch {
	case err != nil:
		s.problem(name, `%q is not a duration; write a number with its unit, such as "5s" or "1h30m"`, v)
	case d < least || d > most:
		s.problem(name, "%s is out of range; choose between %s and %s", d, least, most)
	default:
		return d
	}
	return standard
}

// days reads a number of days, with or without a "d".
func (s *settings) days(name string, standard, least int) time.Duration {
	const day, most = 24 * time.Hour, 3650
	v := s.text(name, "")
	if v == "" {
		return time.Duration(standard) * day
	}
	n, err := strconv.Atoi(strings.TrimSuffix(v, "d"))
	switch {
	case err != nil:
		s.problem(name, `%q is not a number of days; write digits only, such as "30"`, v)
	case n < least || n > most:
		s.problem(name, "%d is out of range; choose between %d and %d days", n, least, most)
	default:
		return time.Duration(n) * day
	}
	return time.Duration(standard) * day
}

func (s *settings) bytes(name string, standard, most int64) int64 {
	v := s.text(name, "")
	if v == "" {
		return standard
	}
	n, err := strconv.ParseInt(v, 10, 64)
	switch {
	case err != nil:
		s.problem(name, `%q is not a number of bytes; write digits only, such as "4194304"`, v)
	case n < 1 || n > most:
		s.problem(name, "%d is out of range; choose between 1 and %d bytes", n, most)
	default:
		return n
	}
	return standard
}

func (s *settings) oneOf(name, standard string, allowed ...string) string {
	v := s.text(name, standard)
	if v == "" {
		s.problem(name, "is not set; set it to one of %s", strings.Join(allowed, ", "))
	} else if !slices.Contains(allowed, v) {
		s.problem(name, "%q is unknown; use one of %s", v, strings.Join(allowed, ", "))
	}
	return v
}

// flag reads "on" or "off", which is what it is when not set.
func (s *settings) flag(name string) bool {
	return s.oneOf(name, "off", "on", "off") == "on"
}

// listen reads where to listen: host:port, where the host may be missing.
func (s *settings) listen(name, standard string) string {
	v := s.text(name, standard)
	_, port, err := net.SplitHostPort(v)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > 65535 {
		s.problem(name, `%q is not an address to listen on; write host:port, such as "127.0.0.1:8080" or ":8080"`, v)
	}
	return v
}

// link reads a URL; without a scheme it is https. It never shows the value, which
// may hold a password.
func (s *settings) link(name, v string) *url.URL {
	if !strings.Contains(v, "://") {
		v = "https://" + v
	}
	u, err := url.Parse(v)
	switch {
	case err != nil:
		s.problem(name, `is not a URL; write one such as "https://host.example/path"`)
	case u.Scheme != "http" && u.Scheme != "https":
		s.problem(name, "begins with %q; use http or https", u.Scheme+"://")
	case u.Hostname() == "":
		s.problem(name, `has no host; write one such as "https://host.example/path"`)
	case u.User != nil:
		s.problem(name, "holds a user name or a password; remove it")
	case u.Fragment != "":
		s.problem(name, "holds a part after #; remove it")
	default:
		return u
	}
	return nil
}

// base reads a base URL to which paths are appended; empty only if standard is.
func (s *settings) base(name, standard string) string {
	v := s.text(name, standard)
	if v == "" {
		return ""
	}
	u := s.link(name, v)
	if u == nil {
		return ""
	}
	if u.RawQuery != "" || u.ForceQuery {
		s.problem(name, "holds a part after ?; remove it")
		return ""
	}
	return strings.TrimRight(u.String(), "/")
}
