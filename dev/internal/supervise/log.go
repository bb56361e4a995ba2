package supervise

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Log writes what a program says to a file, and repeats on the console what looks
// like a warning or an error.
type Log struct {
	name    string
	path    string
	console *Console

	mu       sync.Mutex
	repeat   bool
	harmless string // a line with this text is not repeated
	file     *os.File
	partial  []byte
	tail     []string
	window   time.Time // start of the current second
	shown    int       // lines repeated in it
	hidden   int       // lines held back in it
}

const (
	tailLines      = 20
	shownPerSecond = 5
	shownLength    = 240
	longestLine    = 64 << 10
)

// OpenLog starts a new file for a program; the one of the previous time is kept
// under the same name with ".old".
func (s *Supervisor) OpenLog(name string) (*Log, error) {
	path := filepath.Join(s.LogDir, name+".log")
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	return &Log{name: name, path: path, console: s.Console, repeat: s.Repeat, file: file}, nil
}

// Write takes the program's output; a line may come in pieces.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.file.Write(p)
	l.partial = append(l.partial, p...)
	for {
		end := bytes.IndexByte(l.partial, '\n')
		if end < 0 && len(l.partial) > longestLine {
			end = len(l.partial) - 1
		}
		if end < 0 {
			return n, err
		}
		l.line(strings.TrimRight(string(l.partial[:end]), "\r"))
		l.partial = l.partial[end+1:]
	}
}

// Quiet ends the repeating on the console.
func (l *Log) Quiet() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.repeat = false
}

// Close ends the log.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.file.Close()
}

// Tail is the end of the log, ready to be put behind an error.
func (l *Log) Tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tail) == 0 {
		return ""
	}
	return fmt.Sprintf("\n  the end of %s:\n    %s", l.path, strings.Join(l.tail, "\n    "))
}

func (l *Log) line(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	l.tail = append(l.tail, line)
	if len(l.tail) > tailLines {
		l.tail = l.tail[1:]
	}
	text, ok := notable(line)
	if !ok || !l.repeat || l.harmless != "" && strings.Contains(line, l.harmless) {
		return
	}
	if now := time.Now(); now.Sub(l.window) > time.Second {
		if l.hidden > 0 {
			l.console.Say(l.name, "… and %d more in %s", l.hidden, l.path)
		}
		l.window, l.shown, l.hidden = now, 0, 0
	}
	if l.shown == shownPerSecond {
		l.hidden++
		return
	}
	l.shown++
	l.console.Say(l.name, "%s", text)
}

// alarming matches what programs in plain text write: slog's level=ERROR,
// Postgres's "ERROR:", and the last words of a Go program.
var alarming = regexp.MustCompile(`level=(WARN|ERROR)|^(panic|fatal error):|\b(WARNING|ERROR|FATAL|PANIC):  `)

// notable tells whether a line deserves attention, and how to show it.
func notable(line string) (string, bool) {
	text := line
	if strings.HasPrefix(line, "{") {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) != nil {
			return "", false
		}
		level, _ := entry["level"].(string)
		level = strings.ToUpper(level)
		switch level {
		case "WARN", "ERROR", "DPANIC", "PANIC", "FATAL":
		default:
			return "", false
		}
		text = level + " " + readable(entry)
	} else if !alarming.MatchString(line) {
		return "", false
	}
	if runes := []rune(text); len(runes) > shownLength {
		text = string(runes[:shownLength]) + "…"
	}
	return text, true
}

// readable shortens a JSON entry to its message and its cause.
func readable(entry map[string]any) string {
	parts := []string{}
	for _, key := range []string{"msg", "message"} {
		if text, ok := entry[key].(string); ok {
			parts = append(parts, text)
		}
	}
	for _, key := range []string{"err", "error"} {
		if text, ok := entry[key].(string); ok {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ": ")
}
