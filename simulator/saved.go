package simulator

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// saveEvery is how often the state is written while it changes; what happened
// since is lost when the process is killed, not when it is stopped.
const saveEvery = 5 * time.Second

// The shapes of the state file. It holds what a restart must not forget: the far
// sides outlive a restart of Parley's, so on a laptop they outlive their own.
type (
	savedState struct {
		Key      []byte                  `json:"key,omitempty"` // tokens given out stay valid
		Accounts map[string]savedAccount `json:"accounts"`      // by site ID
		Channels map[string]savedChannel `json:"channels"`
		Files    []storedFile            `json:"files,omitempty"`
	}
	savedAccount struct {
		Consumers     []savedConsumer     `json:"consumers"`
		Conversations []savedConversation `json:"conversations"`
		Webhooks      []savedHook         `json:"webhooks"`
		Created       int                 `json:"created"`
		Firsts        []int64             `json:"firsts,omitempty"`
		Welcomed      int                 `json:"welcomed,omitempty"`
		Sessions      sessions            `json:"sessions,omitempty"`
	}
	savedConsumer struct {
		Ext           string          `json:"ext"`
		Profile       json.RawMessage `json:"profile,omitempty"`
		Name          string          `json:"name,omitempty"`
		Phone         *phoneRef       `json:"phone,omitempty"`
		Current       string          `json:"current,omitempty"`
		Conversations int             `json:"conversations"`
	}
	savedConversation struct {
		ID            string             `json:"id"`
		Consumer      string             `json:"consumer"`
		Skill         string             `json:"skill"`
		TTR           string             `json:"ttr"`
		Others        []savedParticipant `json:"others"`
		Dialogs       []savedDialog      `json:"dialogs"`
		Stage         string             `json:"stage"`
		Started       time.Time          `json:"started"`
		Ended         time.Time          `json:"ended"`
		Updated       time.Time          `json:"updated"`
		Version       int64              `json:"version"`
		CloseReason   string             `json:"closeReason,omitempty"`
		CSAT          *csat              `json:"csat,omitempty"`
		Context       json.RawMessage    `json:"context,omitempty"`
		Properties    json.RawMessage    `json:"properties,omitempty"`
		Origin        string             `json:"origin,omitempty"`
		FirstEver     bool               `json:"firstEver,omitempty"`
		ConsumerState string             `json:"consumerState,omitempty"`
		Messages      int                `json:"messages"`
		Events        []savedEvent       `json:"events"`
		Counts        savedCounts        `json:"counts"`
		TTRValue      int                `json:"ttrValue,omitempty"`
		Delay         *delay             `json:"delay,omitempty"`
		Declared      features           `json:"declared,omitempty"`
		Sending       features           `json:"sending,omitempty"`
		FirstSaid     *int64             `json:"firstSaid,omitempty"`
		Welcomed      bool               `json:"welcomed,omitempty"`
		Survey        json.RawMessage    `json:"survey,omitempty"`
		SurveyWhy     string             `json:"surveyWhy,omitempty"`
		Clicks        []Click            `json:"clicks,omitempty"`
	}
	savedParticipant struct {
		ID   string `json:"id"`
		Role string `json:"role"`
		Name string `json:"name"`
	}
	savedDialog struct {
		ID         string    `json:"id"`
		Kind       string    `json:"kind"`
		State      string    `json:"state"`
		Created    time.Time `json:"created"`
		Ended      time.Time `json:"ended"`
		ClosedBy   string    `json:"closedBy,omitempty"`
		CloseCause string    `json:"closeCause,omitempty"`
		Next       int       `json:"next"`
		Install    string    `json:"install,omitempty"`
	}
	savedEvent struct {
		Sequence   int              `json:"sequence"`
		Dialog     string           `json:"dialog"`
		At         time.Time        `json:"at"`
		From       savedParticipant `json:"from"`
		Kind       string           `json:"kind"`
		Text       string           `json:"text,omitempty"`
		Status     string           `json:"status,omitempty"`
		Sequences  []int            `json:"sequences,omitempty"`
		Audience   string           `json:"audience,omitempty"`
		Metadata   json.RawMessage  `json:"metadata,omitempty"`
		ExternalID string           `json:"externalId,omitempty"`
		Raw        json.RawMessage  `json:"raw"`
		Accepted   bool             `json:"accepted,omitempty"`
		Read       bool             `json:"read,omitempty"`
		Nack       bool             `json:"nack,omitempty"`
		Opened     bool             `json:"opened,omitempty"`
	}
	savedCounts struct {
		Shown        ConversationCounters `json:"shown"`
		DoubledIDs   int                  `json:"doubledIds"`
		DoubledTexts int                  `json:"doubledTexts"`
	}
	savedHook struct {
		Conversation string    `json:"conversation"`
		Kind         string    `json:"kind"`
		Summary      string    `json:"summary"`
		Body         []byte    `json:"body"`
		Created      time.Time `json:"created"`
	}
	savedChannel struct {
		Phones   []savedPhone             `json:"phones"`
		Answered map[string]savedAnswered `json:"answered"`
	}
	savedPhone struct {
		Consumer     string         `json:"consumer"`
		Name         string         `json:"name,omitempty"`
		Conversation string         `json:"conversation"`
		Delivery     string         `json:"delivery"`
		Code         string         `json:"code,omitempty"`
		OptedOut     bool           `json:"optedOut,omitempty"`
		LastAt       time.Time      `json:"lastAt"`
		Thread       []savedMessage `json:"thread"`
		Counters     PhoneCounters  `json:"counters"`
		Texts        map[string]int `json:"texts"`

		Profile map[string]json.RawMessage `json:"profile,omitempty"`
	}
	savedMessage struct {
		ID      string          `json:"id"`
		Out     bool            `json:"out,omitempty"`
		Kind    string          `json:"kind"`
		Text    string          `json:"text"`
		Choices []choiceView    `json:"choices,omitempty"`
		At      time.Time       `json:"at"`
		Status  string          `json:"status"`
		Code    string          `json:"code,omitempty"`
		Read    bool            `json:"read,omitempty"`
		Ref     string          `json:"ref,omitempty"`
		Repeats int             `json:"repeats,omitempty"`
		Raw     json.RawMessage `json:"raw,omitempty"`
		Media   []phoneMedia    `json:"media,omitempty"`
	}
	savedAnswered struct {
		Body   [32]byte          `json:"body"`
		Answer map[string]string `json:"answer"`
	}
)

// load reads the state file, where there is one.
func (s *Simulator) load() error {
	if s.cfg.StateFile == "" {
		return nil
	}
	b, err := os.ReadFile(s.cfg.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	var st savedState
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("simulator: %s is not a state file: %w", s.cfg.StateFile, err)
	}
	if len(st.Key) > 0 {
		key, err := x509.ParsePKCS1PrivateKey(st.Key)
		if err != nil {
			return fmt.Errorf("simulator: key in %s: %w", s.cfg.StateFile, err)
		}
		s.keys.once.Do(func() { s.keys.key = key })
	}
	s.files.restore(st.Files)
	for _, a := range s.accounts {
		a.restore(st.Accounts[a.cfg.SiteID])
	}
	for _, c := range s.channels {
		c.restore(st.Channels[c.cfg.Name])
	}
	return nil
}

// save writes the state file, whole or not at all.
func (s *Simulator) save() error {
	if s.cfg.StateFile == "" {
		return nil
	}
	st := savedState{Files: s.files.saved(), Accounts: map[string]savedAccount{}, Channels: map[string]savedChannel{}}
	if key, err := s.keys.private(); err == nil {
		st.Key = x509.MarshalPKCS1PrivateKey(key)
	}
	for _, a := range s.accounts {
		st.Accounts[a.cfg.SiteID] = a.saved()
	}
	for _, c := range s.channels {
		st.Channels[c.cfg.Name] = c.saved()
	}
	f, err := os.CreateTemp(filepath.Dir(s.cfg.StateFile), ".simulator-*") // 0600: it holds a key
	if err != nil {
		return fmt.Errorf("simulator: save: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = json.NewEncoder(f).Encode(st)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("simulator: save: %w", err)
	}
	return os.Rename(f.Name(), s.cfg.StateFile)
}

// keepSaved saves every few seconds while something happens, and at the end.
func (s *Simulator) keepSaved(ctx context.Context) {
	if s.cfg.StateFile == "" {
		return
	}
	t := time.NewTicker(saveEvery)
	defer t.Stop()
	seen := s.wire.lastID()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if last := s.wire.lastID(); last != seen {
			seen = last
			if err := s.save(); err != nil {
				s.log.Warn("the simulator's state was not saved", "err", err)
			}
		}
	}
}
