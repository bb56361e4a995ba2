package simulator

import (
	"embed"
	"io"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed page
var page embed.FS

// routes is everything the simulator serves, on one port.
func (s *Simulator) routes() *http.ServeMux {
	m := http.NewServeMux()
	far := func(pattern, class string, h func(*call) reply) { m.HandleFunc(pattern, s.far(class, h)) }
	far("GET /api/account/{site}/service/{service}/baseURI.json", classDomain, s.domains)
	far("GET /api/account/{site}/service/baseURI.json", classDomain, s.domains)
	far("POST /sentinel/api/account/{site}/app/token", classToken, s.appToken)
	far("POST /api/account/{site}/consumer", classConsumer, s.consumerToken)
	far("POST /api/account/{site}/messaging/consumer/conversation", classConversation, s.opened)
	far("POST /api/account/{site}/messaging/consumer/conversation/send", classSend, s.send)
	far("PUT /v1/{container}/{site}/{name}", classSwift, s.swift)
	far("GET /v1/{container}/{site}/{name}", classSwift, s.swift)
	far("POST /api/account/{site}/app/{install}/engagement", classMonitoring, s.engagement)
	far("POST /2010-04-01/Accounts/{sid}/Messages.json", classTwilio, s.twilioCreate)
	far("GET /2010-04-01/Accounts/{sid}/Messages/{message}/Media/{media}", classMedia, s.mmsFile)
	far("GET /provider/media/{id}", classMedia, s.providerMedia)
	far("GET /provider/files/{id}", classMedia, s.webFile)
	far("POST /provider/http/{channel}", classHTTP, s.httpReceive)
	m.HandleFunc("GET /provider/http/{channel}/.capabilities", handle(s.capabilities))

	s.deskRoutes(m)
	s.controlRoutes(m)
	s.phoneRoutes(m)

	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the directory is embedded: it is there
	}
	m.Handle("GET /", http.FileServerFS(files))
	return m
}

func (s *Simulator) controlRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /sim/state", handle(func(*http.Request) (any, error) { return s.state(), nil }))
	m.HandleFunc("GET /sim/counters", handle(func(*http.Request) (any, error) { return s.totals(), nil }))
	m.HandleFunc("GET /sim/settings", handle(func(*http.Request) (any, error) { return s.settings.Load(), nil }))
	m.HandleFunc("PUT /sim/settings", handle(s.putSettings))
	m.HandleFunc("GET /sim/faults", handle(func(*http.Request) (any, error) { return s.faults.current(), nil }))
	m.HandleFunc("PUT /sim/faults", handle(s.putFaults))
	m.HandleFunc("PATCH /sim/faults", handle(s.putFaults))
	m.HandleFunc("POST /sim/faults/rules", handle(s.addRule))
	m.HandleFunc("POST /sim/expire-tokens", handle(s.expireTokens))
	m.HandleFunc("POST /sim/revoke-jws", handle(s.revokeJWS))
	m.HandleFunc("POST /sim/reset", handle(func(*http.Request) (any, error) { err := s.reset(); return s.state(), err }))

	m.HandleFunc("GET /sim/conversations", handle(s.listConversations))
	m.HandleFunc("GET /sim/conversations/{id}", handle(s.showConversation))
	m.HandleFunc("GET /sim/files/{id...}", s.showFile)
	m.HandleFunc("GET /sim/first-messages", handle(s.firstMessages))
	m.HandleFunc("POST /sim/conversations/{id}/file", handle(s.agentFile))
	m.HandleFunc("POST /sim/conversations/{id}/{act}", handle(s.agentActs))
	m.HandleFunc("POST /sim/accounts/{account}/emit", handle(s.emit))

	m.HandleFunc("GET /sim/wire", s.listWire)
	m.HandleFunc("GET /sim/wire/{id}", s.showWire)
	m.HandleFunc("GET /sim/stream", s.stream)
}

func (s *Simulator) putSettings(r *http.Request) (any, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		return nil, badRequest("the body could not be read")
	}
	if err := s.change(b); err != nil {
		return nil, badRequest(err.Error())
	}
	return s.settings.Load(), nil
}

// putFaults replaces the faults, or with PATCH changes those that are named.
func (s *Simulator) putFaults(r *http.Request) (any, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		return nil, badRequest("the body could not be read")
	}
	var base Faults
	if r.Method == http.MethodPatch {
		base = s.faults.current()
	}
	next, err := s.faults.parse(base, b)
	if err != nil {
		return nil, badRequest(err.Error())
	}
	return s.setFaults(next), nil
}

func (s *Simulator) addRule(r *http.Request) (any, error) {
	var rule Rule
	if err := read(r, &rule); err != nil {
		return nil, err
	}
	if err := rule.check(len(s.faults.current().Rules)); err != nil {
		return nil, badRequest(err.Error())
	}
	s.faults.add(rule)
	now := s.faults.current()
	s.hub.publish("faults", "", func() any { return now })
	return now, nil
}

func (s *Simulator) setFaults(next Faults) Faults {
	s.faults.replace(next)
	for _, a := range s.accounts {
		a.sender.kick() // held webhooks may go out now
	}
	now := s.faults.current()
	s.hub.publish("faults", "", func() any { return now })
	return now
}

func (s *Simulator) expireTokens(r *http.Request) (any, error) {
	chosen, err := s.chosenAccounts(r)
	if err != nil {
		return nil, err
	}
	for _, a := range chosen.accounts {
		a.expireTokens()
	}
	return map[string]int{"accounts": len(chosen.accounts)}, nil
}

func (s *Simulator) revokeJWS(r *http.Request) (any, error) {
	chosen, err := s.chosenAccounts(r)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, a := range chosen.accounts {
		n += a.revokeJWS(chosen.consumer)
	}
	return map[string]int{"consumers": n}, nil
}

type chosen struct {
	accounts []*account
	consumer string
}

func (s *Simulator) chosenAccounts(r *http.Request) (chosen, error) {
	var in struct {
		Account  string `json:"account"`
		Consumer string `json:"consumer"`
	}
	if err := read(r, &in); err != nil {
		return chosen{}, err
	}
	if in.Account == "" {
		return chosen{s.accounts, in.Consumer}, nil
	}
	a := s.account(in.Account)
	if a == nil {
		return chosen{}, unknown("no such account")
	}
	return chosen{[]*account{a}, in.Consumer}, nil
}

func trimSlash(u string) string { return strings.TrimRight(u, "/") }
