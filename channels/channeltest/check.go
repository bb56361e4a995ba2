package channeltest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/channels"
	"parley/fault"
	"parley/message"
)

// Check reports what no Receive may return, whatever it was given. Fuzz targets
// use it too.
func Check(t testing.TB, channel string, got channels.Received, err error) {
	t.Helper()
	if err != nil {
		checkRefusal(t, got, err)
		return
	}
	seen := map[string]bool{}
	for _, in := range got.Events {
		checkInbound(t, channel, in)
		if seen[in.EventID] {
			t.Error("two events of one webhook have the same event ID")
		}
		seen[in.EventID] = true
	}
	for _, p := range got.Presence {
		if p.Address.Channel != channel || !channels.Name(p.Address.Consumer) {
			t.Errorf("presence without an address that can be stored: %q", p.Address)
		}
	}
	for _, e := range got.Echoes {
		if e.Scope != channel || !channels.Name(string(e.Key)) || e.Sequence != -1 {
			t.Errorf("an echo that proves nothing: %+v", e)
		}
	}
	for _, d := range got.Dead {
		if d.Reason == "" {
			t.Error("a leftover without a reason")
		}
		if d.EventID != "" && !channels.Name(d.EventID) {
			t.Errorf("a leftover with an ID that cannot be stored: %q", d.EventID)
		}
	}
}

func checkRefusal(t testing.TB, got channels.Received, err error) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || (f.Class != fault.Denied && f.Class != fault.Rejected) {
		t.Errorf("a webhook was refused with %v: must be Denied or Rejected", err)
	}
	if len(got.Events)+len(got.Presence)+len(got.Echoes)+len(got.Dead) > 0 {
		t.Error("a refused webhook has results")
	}
}

func checkInbound(t testing.TB, channel string, in message.Inbound) {
	t.Helper()
	if !channels.Name(in.EventID) || in.ID != message.NewID(channel, in.EventID) {
		t.Errorf("event ID %q cannot be stored, or ID %q does not follow from it", in.EventID, in.ID)
	}
	if in.Address.Channel != channel || !channels.Name(in.Address.Consumer) {
		t.Errorf("an address that cannot be stored: %q", in.Address)
	}
	if in.Reply != "" && !channels.Name(in.Reply) || in.Ref != "" && !channels.Name(in.Ref) {
		t.Error("Reply or Ref cannot be stored")
	}
	if in.At.IsZero() {
		t.Error("an event without a time")
	}
	if problem := incomplete(in); problem != "" {
		t.Error(problem)
	}
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatalf("an event cannot be written: %v", err)
	}
	var back message.Inbound
	if err := json.Unmarshal(body, &back); err != nil {
		t.Fatalf("an event cannot be read again: %v", err)
	}
	if diff := cmp.Diff(in, back); diff != "" {
		t.Errorf("an event changes when it is stored: %s", diff)
	}
	if strings.Contains(string(body), `\u0000`) {
		t.Error("an event holds NUL, which Postgres does not take")
	}
}

// incomplete returns what is missing for the event's kind.
func incomplete(in message.Inbound) string {
	switch in.Kind {
	case message.Wrote:
		if in.Text == "" && in.Choice == nil && len(in.Attachments) == 0 {
			return "a message that says nothing"
		}
		for _, a := range in.Attachments {
			if a.URL == "" {
				return "an attachment without a URL"
			}
		}
	case message.Receipts:
		if in.Receipt == nil || in.Receipt.Message == "" && in.Receipt.Ref == "" || in.Receipt.State == "" {
			return "a receipt that names no message, or no state"
		}
	case message.Consent:
		if in.Consent == "" {
			return "a change of consent that changes nothing"
		}
	case message.Known:
		if in.Profile.Empty() {
			return "a profile that tells nothing"
		}
	case message.Closed:
	default:
		return fmt.Sprintf("an event of kind %q", in.Kind)
	}
	return ""
}
