package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	sdktemporal "go.temporal.io/sdk/temporal"

	"parley/api"
	"parley/channels"
	"parley/conversation"
	"parley/db"
	"parley/liveperson"
	"parley/message"
	"parley/workflows"
)

const redriveSynopsis = "[-by NAME] [-reason TEXT] [WORKFLOW-ID] MESSAGE-ID"

// runRedrive puts a message back on its way under its old ID. With a workflow ID it
// is the update of that conversation; without one, the dead letter says where it
// belongs: to a conversation that still has it, else back into the inbox, so that
// the next one takes it. What was sent already is never sent again: the ledger knows
// it by its ID.
func runRedrive(ctx context.Context, p *process, args []string) error {
	f := flag.NewFlagSet(p.command, flag.ContinueOnError)
	who := f.String("by", userName(), "who you are; it is in the conversation's history, or in the journal")
	reason := f.String("reason", "", "why")
	if err := arguments(f, redriveSynopsis, args, 1); err != nil {
		if f.NArg() == 2 {
			return runUpdate(ctx, p, args)
		}
		return err
	}
	store, c, identity, err := p.records(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	defer c.Close()
	id := message.ID(f.Arg(0))
	d, found, err := store.DeadLetter(ctx, id)
	if err != nil || !found {
		return errors.Join(err, fmt.Errorf("there is no dead letter %s: `parley dead-letters` lists them", id))
	}
	fates, err := store.Fates(ctx, []message.ID{id})
	if err != nil {
		return err
	}
	if fate := fates[id]; fate != db.FateDead {
		return fmt.Errorf("%s is settled already: %s", id, fate)
	}
	if d.Address != (message.Address{}) {
		err := update(ctx, p, c, identity.Workflow(d.Address), workflows.Request{Message: id, By: *who, Reason: *reason})
		if !notThere(err) {
			return err
		}
	}
	events, err := p.putBack(ctx, store, d)
	if err != nil {
		return err
	}
	at := message.Note{At: time.Now(), Address: d.Address, Account: d.Account, Command: id, What: workflows.RedriveUpdate, Detail: *who + ": " + *reason}
	if err := errors.Join(store.Redriven(ctx, id, d.Redriven), store.Note(ctx, []message.Note{at})); err != nil {
		return fmt.Errorf("it is back in the inbox, which could not be noted: %w", err)
	}
	_, err = fmt.Fprintf(p.out, "back in the inbox, %d event(s): parley api hands it on\n", events)
	return err
}

// notThere says that a conversation cannot do what was asked because it has not got
// the message, or has ended.
func notThere(err error) bool {
	if gone := new(serviceerror.NotFound); errors.As(err, &gone) {
		return true
	}
	var refused *sdktemporal.ApplicationError
	return errors.As(err, &refused) && strings.Contains(refused.Message(), conversation.ErrNoMessage.Error())
}

// putBack stores a dead letter as what it was before, under its old ID, and returns
// how many events that made. Stored twice, it is there once.
func (p *process) putBack(ctx context.Context, store *db.Store, d db.Dead) (int, error) {
	if event, ok := eventOf(d); ok {
		if c := commandOf(d); c != nil && c.Done > 0 {
			if err := store.Resume(ctx, c.ID, c.Done); err != nil {
				return 0, err
			}
		}
		_, err := store.Append(ctx, message.Arrival{Events: []message.Event{event}})
		return 1, err
	}
	config, err := LoadWorker(p.lookuper(), p.env)
	if err != nil {
		return 0, err
	}
	r := &rooms{config: config, store: store, clouds: map[string]*liveperson.Client{}, channels: map[string]channels.Adapter{}, circuits: newCircuits()}
	if err := r.farSides(p.log); err != nil {
		return 0, err
	}
	server := api.Server{Accounts: map[string]api.Cloud{}, Channels: r.channels, Inbox: store, Log: p.log}
	for name, c := range r.clouds {
		server.Accounts[name] = c
	}
	return server.Reread(ctx, d.DeadLetter)
}

// commandOf returns the command that a dead letter of a conversation is; nil for
// one that never came that far.
func commandOf(d db.Dead) *conversation.Command {
	var c conversation.Command
	if d.Address == (message.Address{}) || json.Unmarshal(d.Body, &c) != nil || c.ID != d.ID {
		return nil
	}
	switch c.Kind {
	case conversation.Publish, conversation.PublishFile, conversation.Deliver:
	default:
		return nil
	}
	return &c
}

// eventOf makes a dead letter the event that it was, with a name of its own in the
// inbox, where the first one may still be. ok is false for a part of a webhook that
// could not be read.
func eventOf(d db.Dead) (e message.Event, ok bool) {
	e = message.Event{
		Stream: message.Stream{Address: d.Address}, Source: "channel/" + d.Address.Channel,
		EventID: fmt.Sprintf("redrive/%s/%d", d.ID, d.Redriven), Urgent: true, Starts: true,
	}
	var in message.Inbound
	var n message.Notification
	c := commandOf(d)
	switch {
	case d.Address == (message.Address{}):
		return e, false // from outside, as it came: it could call itself anything
	case c != nil && c.Kind == conversation.PublishFile:
		in = message.Inbound{Kind: message.Wrote, ID: c.ID, Address: d.Address, At: d.BuriedAt, Ref: c.Ref}
		if c.Attachment != nil {
			in.Attachments = []message.Attachment{*c.Attachment}
		}
	case c != nil && c.Kind == conversation.Publish:
		in = message.Inbound{Kind: message.Wrote, ID: c.ID, Address: d.Address, At: d.BuriedAt, Ref: c.Ref, Text: c.Text}
	case c != nil:
		n = message.Notification{
			Kind: message.AgentWrote, ID: c.ID, Account: d.Account, Conversation: c.Conversation, Dialog: c.Dialog, Sequence: c.Sequence,
			At: d.BuriedAt, Text: c.Text, Choices: c.Choices, Blocks: c.Blocks, File: c.File,
		}
	case json.Unmarshal(d.Body, &in) == nil && in.ID != "" && in.Address == d.Address:
	case json.Unmarshal(d.Body, &n) == nil && n.ID != "" && n.Account == d.Account && n.Conversation != "":
		in = message.Inbound{}
	default:
		return e, false
	}
	var v any = in
	if n.ID != "" && in.ID == "" {
		e.Stream, e.Source, v = message.Stream{Account: n.Account, Conversation: n.Conversation}, "cloud/"+n.Account, n
	}
	body, err := json.Marshal(v)
	e.Body = body
	return e, err == nil && e.Stream != message.Stream{}
}

const deadSynopsis = "[-from TIME] [-all] [-show] [-list N]"

// runDeadLetters lists dead letters. What people wrote is shown only when asked for.
func runDeadLetters(ctx context.Context, p *process, args []string) error {
	f := flag.NewFlagSet(p.command, flag.ContinueOnError)
	from := f.String("from", "", "only those since a time such as 2026-01-31T15:04:05Z, or so long ago")
	all := f.Bool("all", false, "also those that were sent, skipped or put back")
	show := f.Bool("show", false, "show the address and the content too: what people wrote")
	most := f.Int("list", 100, "how many")
	if err := arguments(f, deadSynopsis, args, 0); err != nil {
		return err
	}
	r := db.DeadRange{Settled: *all, Limit: *most}
	if *from != "" {
		since, err := moment(*from, time.Now())
		if err != nil {
			return errUsage{err.Error()}
		}
		r.From = since
	}
	store, c, identity, err := p.records(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	defer c.Close()
	dead, err := store.DeadLetters(ctx, r)
	if err != nil {
		return err
	}
	for _, d := range dead {
		if err := p.showDead(d, identity, *show); err != nil {
			return err
		}
	}
	if len(dead) == *most {
		_, err = fmt.Fprintln(p.out, "and perhaps more: -list shows more of them")
	}
	return err
}

func (p *process) showDead(d db.Dead, identity workflows.Identity, show bool) error {
	where := d.Source
	if d.Address != (message.Address{}) {
		where = identity.Workflow(d.Address)
	}
	state := ""
	if d.SettledBy != "" {
		state = "  " + d.SettledBy
	}
	_, err := fmt.Fprintf(p.out, "%s  %s ago  %s  %s %s%s\n", d.ID, time.Since(d.BuriedAt).Round(time.Second), where, d.Reason, d.Code, state)
	if show && err == nil {
		_, err = fmt.Fprintf(p.out, "  %s %q\n", d.Address.Consumer, d.Body)
	}
	return err
}
