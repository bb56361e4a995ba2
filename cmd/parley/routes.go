package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"parley/conversation"
)

// routes reads where a channel's conversations go when they are opened: a JSON list,
// in the variable itself or in the file that NAME_FILE names. The first that fits is
// taken.
func (s *settings) routes(name string) []conversation.Route {
	raw, source := s.content(name)
	if raw == "" {
		return nil
	}
	list, err := decodeRoutes(raw)
	if err != nil {
		s.problem(source, `is not a list of routes; write one such as [{"words":["urgent"],"skill":"4711","urgency":"URGENT"},{"engagement":true}] (%s)`, err)
		return nil
	}
	for i := range list {
		s.route(source, i, len(list), &list[i])
	}
	return list
}

// content reads a value that may be long: from the variable, or from a file.
func (s *settings) content(name string) (value, source string) {
	file := name + "_FILE"
	direct, path := s.text(name, ""), s.text(file, "")
	switch {
	case direct != "" && path != "":
		s.problem(name, "is set, and so is %s; keep one of them", file)
		return "", name
	case direct != "" || path == "" || s.idle:
		return direct, name
	}
	b, err := os.ReadFile(path)
	if err != nil {
		s.problem(file, "names a file that cannot be read; check the path and its permissions")
		return "", file
	}
	if len(bytes.TrimSpace(b)) == 0 {
		s.problem(file, "names an empty file")
	}
	return string(bytes.TrimSpace(b)), file
}

// decodeRoutes says what is wrong where a person can find it.
func decodeRoutes(raw string) ([]conversation.Route, error) {
	d := json.NewDecoder(strings.NewReader(raw))
	d.DisallowUnknownFields()
	var list []conversation.Route
	err := d.Decode(&list)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("at byte %d: %s", syntax.Offset, strings.TrimPrefix(syntax.Error(), "json: "))
	case errors.As(err, &kind) && kind.Field != "":
		return nil, fmt.Errorf("%q must not be a %s", kind.Field, kind.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("it ends too early")
	case err != nil:
		return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the list")
	}
	return list, nil
}

// urgencies are what a connector may ask for.
//
// Source: connector-api-send-api-conversation (ttrDefName).
var urgencies = []string{"NORMAL", "URGENT", "PRIORITIZED"}

func (s *settings) route(name string, i, n int, r *conversation.Route) {
	problem := func(format string, args ...any) {
		s.problem(name, "route %d "+format, append([]any{i + 1}, args...)...)
	}
	if r.Urgency = strings.ToUpper(strings.TrimSpace(r.Urgency)); r.Urgency != "" && !slices.Contains(urgencies, r.Urgency) {
		problem(`has the urgency %q; use one of %s`, r.Urgency, strings.Join(urgencies, ", "))
	}
	if r.Skill = strings.TrimSpace(r.Skill); strings.ContainsAny(r.Skill, " \t\r\n") {
		problem(`has the skill %q; write the number that LivePerson shows as its ID`, r.Skill)
	}
	if slices.ContainsFunc(r.Words, func(w string) bool { return strings.TrimSpace(w) == "" }) {
		problem("has an empty word; remove it")
	}
	for _, e := range r.Entry {
		if scheme, _, ok := strings.Cut(e, "://"); !ok || scheme == "" {
			problem(`has the entry point %q; write one such as "sec://sport"`, e)
		}
	}
	if len(r.Entry) > 0 && !r.Engagement {
		problem(`has entry points and no "engagement": true; nobody would be asked about them`)
	}
	if len(r.Words) == 0 && i < n-1 {
		problem("has no words, so those behind it are never reached; put it last")
	}
}
