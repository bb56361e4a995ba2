package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// row is a line of the table: figures of ours beside the reference of the issue.
type row struct {
	what      string
	figures   []string // shown with a slash between them
	format    string
	unit      string
	reference map[string]string // by store; "" for both
}

var postgresOnly = func(s string) map[string]string { return map[string]string{"postgres": s} }

func same(s string) map[string]string { return map[string]string{"": s} }

func rows() []row {
	none := map[string]string{}
	return []row{
		{"acknowledgement at 20/s, p50 / p99", []string{"ack at 20/s p50", "ack at 20/s p99"}, "%.1f", "ms", same("1.5 / 7.4")},
		{"— as often, beside old rows that nobody trims, p50 / p99", []string{"ack without trim p50", "ack without trim p99"}, "%.1f", "ms", none},
		{"— while housekeeping trims them, p50 / p99", []string{"ack with trim p50", "ack with trim p99"}, "%.1f", "ms", none},
		{"— rows it deletes then", []string{"trimmed"}, "%.0f", "/s", none},
		{"webhook → Send API at 20/s, p50 / p99", []string{"to the Send API at 20/s p50", "to the Send API at 20/s p99"}, "%.1f", "ms", map[string]string{"postgres": "22 / 43", "sqlite": "22 / 75"}},
		{"agent's message → channel at 20/s, p50 / p99", []string{"to the channel at 20/s p50", "to the channel at 20/s p99"}, "%.1f", "ms", none},
		{"acknowledgements, 64 clients, while processing", []string{"acks/s"}, "%.0f", "/s", same("≥ 2,000")},
		{"— p50 / p99", []string{"ack, all clients p50", "ack, all clients p99"}, "%.1f", "ms", same("p99 ≤ 30")},
		{"bare handler, same load, while Parley processes", []string{"bare, processing"}, "%.0f", "/s", none},
		{"— Parley's acknowledgements ÷ that", []string{"ratio to bare, processing"}, "%.2f", "", none},
		{"bare handler, machine at rest", []string{"bare, alone"}, "%.0f", "/s", same("6,900")},
		{"— Parley's acknowledgements, processing, ÷ that", []string{"ratio to bare, alone"}, "%.2f", "", none},
		{"burst of 4,000 (40 each) to the last accepted", []string{"burst of 4000"}, "%.0f", "/s", map[string]string{"postgres": "1,585", "sqlite": "1,644"}},
		{"— acknowledged", []string{"burst of 4000, acks"}, "%.0f", "/s", same("5,700")},
		{"burst of 1,000 (10 each) to the last accepted", []string{"burst of 1000"}, "%.0f", "/s", postgresOnly("470")},
		{"— acknowledged", []string{"burst of 1000, acks"}, "%.0f", "/s", same("4,058")},
		{"new conversations", []string{"new conversations"}, "%.0f", "/s", map[string]string{"postgres": "44–50", "sqlite": "80"}},
		{"history events per message, idle", []string{"idle, events"}, "%.1f", "", same("10")},
		{"— agent's message, with its receipt", []string{"idle, agents, events"}, "%.1f", "", none},
		{"— burst, 10 each", []string{"burst of 1000, events"}, "%.2f", "", same("≤ 2.6 (1.6)")},
		{"— burst, 40 each", []string{"burst of 4000, events"}, "%.2f", "", same("≤ 2.6 (0.44)")},
		{"history bytes per message, idle", []string{"idle, bytes"}, "%.0f", "", same("1,697")},
		{"— agent's message, with its receipt", []string{"idle, agents, bytes"}, "%.0f", "", none},
		{"— burst, 10 each", []string{"burst of 1000, bytes"}, "%.0f", "", same("≤ 900")},
		{"— burst, 40 each", []string{"burst of 4000, bytes"}, "%.0f", "", same("692")},
	}
}

// report prints the table, and writes it to the file if one was asked for.
func (r *results) report(o options, began, ended machine) error {
	if len(r.figures) == 0 {
		return errNothing
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "## Temporal on %s\n\n", o.store)
	fmt.Fprintf(&b, "%s, %s, %s; load average %s at the beginning, %s at the end (%s).\n", began.at.UTC().Format("2006-01-02 15:04 UTC"),
		began.cpu, began.go_, began.load, ended.load, ended.at.Sub(began.at).Round(1e9))
	fmt.Fprintf(&b, "%d warm conversations, %d repetitions: median (least–most). Nothing was lost or doubled, by the far sides' own counters.\n\n", o.conversations, o.repeat)
	r.table(&b, o)
	r.processors(&b)
	if _, err := os.Stdout.Write(b.Bytes()); err != nil || o.report == "" {
		return err
	}
	return replaceSection(o, b.String())
}

func (r *results) table(b *bytes.Buffer, o options) {
	fmt.Fprintf(b, "| what | measured | reference |\n|---|---|---|\n")
	for _, row := range rows() {
		var medians, ranges []string
		for _, f := range row.figures {
			median, least, most, ok := r.spread(f)
			if !ok {
				continue
			}
			medians = append(medians, fmt.Sprintf(row.format, median))
			ranges = append(ranges, fmt.Sprintf(row.format+"–"+row.format, least, most))
		}
		if len(medians) == 0 {
			continue
		}
		reference := row.reference[o.store]
		if reference == "" {
			reference = row.reference[""]
		}
		fmt.Fprintf(b, "| %s | **%s** %s (%s) | %s |\n", row.what, strings.Join(medians, " / "), row.unit, strings.Join(ranges, " / "), reference)
	}
}

// processors is the table of processor time per message.
func (r *results) processors(b *bytes.Buffer) {
	programs := []string{"api", "worker", temporal, postgres, "load and far sides"}
	fmt.Fprintf(b, "\nProcessor time per message, ms:\n\n| phase | %s |\n|---|%s\n", strings.Join(programs, " | "), strings.Repeat("---|", len(programs)))
	for _, phase := range []string{"idle", "idle, agents", "burst of 4000", "burst of 1000", "new"} {
		times := r.processor(phase)
		if len(times) == 0 {
			continue
		}
		fmt.Fprintf(b, "| %s |", phase)
		for _, p := range programs {
			if v, ok := times[p]; ok {
				fmt.Fprintf(b, " %.2f |", v)
			} else {
				fmt.Fprint(b, " – |")
			}
		}
		fmt.Fprintln(b)
	}
}

const heading = "# Measurements\n\nWritten by `make bench`; see bench/ for how it measures. The reference is a prototype of the same design on two cores.\n\n"

// replaceSection puts the section in the place of the one of the same store.
func replaceSection(o options, section string) error {
	old, err := os.ReadFile(o.report)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mine, out, replaced := fmt.Sprintf("## Temporal on %s\n", o.store), heading, false
	for part := range strings.SplitSeq("\n"+string(old), "\n## ") {
		if part = "## " + part; !strings.HasPrefix(part, "## Temporal on ") {
			continue // the heading, which is written anew
		}
		if strings.HasPrefix(part, mine) {
			part, replaced = section, true
		}
		out += strings.TrimRight(part, "\n") + "\n\n"
	}
	if !replaced {
		out += section
	}
	return os.WriteFile(o.report, []byte(strings.TrimRight(out, "\n")+"\n"), 0o644)
}
