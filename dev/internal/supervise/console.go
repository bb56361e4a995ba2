package supervise

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Console writes one line per happening, with the name of the program in front.
type Console struct {
	mu  sync.Mutex
	out io.Writer
}

// NewConsole writes to out; io.Discard keeps quiet.
func NewConsole(out io.Writer) *Console { return &Console{out: out} }

// Say writes a line about a program.
func (c *Console) Say(name, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := fmt.Sprintf("%-10s %s", name, fmt.Sprintf(format, args...))
	_, _ = fmt.Fprintln(c.out, strings.TrimRight(line, " "))
}

// Print writes text as it is.
func (c *Console) Print(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = io.WriteString(c.out, text)
}

// Seconds shows a duration to people.
func Seconds(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
