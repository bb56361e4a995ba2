package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// checkContent says what is wrong with structured content; nil when LivePerson would
// take it. Like LivePerson's own validators it refuses properties that it does not
// know; it refuses all that the schemas of json-pollock 1.7.7 refuse, and besides what
// the pages call required and the schemas let pass, and pictures that are not https.
//
// Source: rich-messaging-* pages; the schemas of json-pollock and of
// lp-rich-content-validator.
func checkContent(raw json.RawMessage) error {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return fmt.Errorf("content: not JSON")
	}
	return anyOf(roots)(v, "content")
}

// checkChips says what is wrong with quick replies.
func checkChips(raw json.RawMessage) error {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return fmt.Errorf("quickReplies: not JSON")
	}
	return quickReplies(v, "quickReplies")
}

// check says what is wrong with a value that stands at a path.
type check func(v any, path string) error

// shape is what an object may have.
type shape map[string]check

// need marks members that must be there.
func (s shape) need(names ...string) check {
	return func(v any, path string) error {
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: must be an object", path)
		}
		for _, name := range names {
			if _, there := m[name]; !there {
				return fmt.Errorf("%s: %s is required", path, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			c, known := s[name]
			if !known {
				return fmt.Errorf("%s: unknown property %s", path, name)
			}
			if err := c(m[name], path+"."+name); err != nil {
				return err
			}
		}
		return nil
	}
}

// with returns the shape with more members.
func (s shape) with(more shape) shape {
	all := maps.Clone(s)
	maps.Copy(all, more)
	return all
}

func word(most int) check {
	return func(v any, path string) error {
		text, ok := v.(string)
		if !ok {
			return fmt.Errorf("%s: must be text", path)
		}
		if utf8.RuneCountInString(text) > most {
			return fmt.Errorf("%s: has more than %d characters", path, most)
		}
		return nil
	}
}

func among(allowed ...string) check {
	return func(v any, path string) error {
		if text, ok := v.(string); !ok || !slices.Contains(allowed, text) {
			return fmt.Errorf("%s: must be one of %s", path, strings.Join(allowed, ", "))
		}
		return nil
	}
}

func numeric(v any, path string) error {
	if _, ok := v.(float64); !ok {
		return fmt.Errorf("%s: must be a number", path)
	}
	return nil
}

func whole(v any, path string) error {
	if n, ok := v.(float64); !ok || n != math.Trunc(n) {
		return fmt.Errorf("%s: must be a whole number", path)
	}
	return nil
}

func within(least, most float64) check {
	return func(v any, path string) error {
		if n, ok := v.(float64); !ok || n != math.Trunc(n) || n < least || n > most {
			return fmt.Errorf("%s: must be a whole number from %v to %v", path, least, most)
		}
		return nil
	}
}

func yesNo(v any, path string) error {
	if _, ok := v.(bool); !ok {
		return fmt.Errorf("%s: must be true or false", path)
	}
	return nil
}

// secureURL is a web address, of at most so many characters; images must be https.
func secureURL(most int) check {
	return func(v any, path string) error {
		if err := word(most)(v, path); err != nil {
			return err
		}
		if !strings.HasPrefix(v.(string), "https://") {
			return fmt.Errorf("%s: must begin with https://", path)
		}
		return nil
	}
}

func listOf(least, most int, element check) check {
	return func(v any, path string) error {
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s: must be an array", path)
		}
		if len(list) < least || len(list) > most {
			return fmt.Errorf("%s: must have %d to %d elements", path, least, most)
		}
		for i, e := range list {
			if err := element(e, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	}
}

// tuple is an array of just these, of which the last ones may be missing.
func tuple(least int, elements ...check) check {
	return func(v any, path string) error {
		list, ok := v.([]any)
		if !ok || len(list) < least || len(list) > len(elements) {
			return fmt.Errorf("%s: must be an array of %d to %d elements", path, least, len(elements))
		}
		for i, e := range list {
			if err := elements[i](e, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	}
}

// anyOf looks the check up by the value's type member.
func anyOf(kinds func() map[string]check) check {
	return func(v any, path string) error {
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: must be an object", path)
		}
		kind, _ := m["type"].(string)
		c := kinds()[kind]
		if c == nil {
			return fmt.Errorf("%s: type must be one of %s", path, strings.Join(slices.Sorted(maps.Keys(kinds())), ", "))
		}
		return c(v, path)
	}
}

// only is anyOf with one kind.
func only(kind string, c check) check {
	return anyOf(func() map[string]check { return map[string]check{kind: c} })
}
