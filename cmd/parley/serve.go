package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/sethvargo/go-envconfig"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"parley/activities"
	"parley/api"
	"parley/conversation"
	"parley/message"
	"parley/relay"
	"parley/simulator"
	"parley/worker"
	"parley/workflows"
)

// stopWithin is how long a process may take to stop once its last request is
// answered: what is in flight is finished, and nothing is lost if it is not.
const stopWithin = 10 * time.Second

// noticeFor is how long the public listener stays open after readiness is off.
const noticeFor = 500 * time.Millisecond

// lookuper lets configuration be read from the process's environment as given.
func (p *process) lookuper() envconfig.Lookuper {
	return envconfig.MapLookuper(environment2map(p.env))
}

func environment2map(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		m[name] = value
	}
	return m
}

func runAPI(ctx context.Context, p *process, args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	config, err := LoadAPI(p.lookuper(), p.env)
	if err != nil {
		return err
	}
	r, err := open(ctx, p, config)
	if err != nil {
		return err
	}
	defer r.close()
	public, err := listen(ctx, "PARLEY_API_ADDR", config.APIAddr)
	if err != nil {
		return err
	}
	if public, err = config.TLS.secure(public, p.log); err != nil {
		return err
	}
	private, err := listen(ctx, "PARLEY_OPS_ADDR", config.OpsAddr)
	if err != nil {
		return errors.Join(err, public.Close())
	}
	return r.serveAPI(ctx, p, public, private)
}

// serveAPI runs the listeners, presence and the relay. They stop in that order:
// what was stored last is still relayed.
func (r *rooms) serveAPI(ctx context.Context, p *process, public, private net.Listener) error {
	ops := api.NewOps(p.log, api.Check{Name: "database", Ping: r.store.Ready})
	presence := r.presence(p, ops)
	carrier := relay.New(r.store, &workflows.Client{
		Temporal: r.temporal, Identity: r.identity, Settings: r.withReceipts(), Late: r.late,
	}, relay.Options{}, p.log)
	clouds := map[string]api.Cloud{}
	for name, c := range r.clouds {
		clouds[name] = c
	}
	server := &api.Server{
		Accounts: clouds, Channels: r.channels, Inbox: r.store, Relay: carrier,
		Presence: presence, Ops: ops, Log: p.log, MaxBody: r.config.MaxBody,
		Files: r.store, CloudCertificate: r.config.TLS.ClientCA != "",
	}
	ops.Registry().MustRegister(relayMetrics(carrier), r.clock, r.circuits)
	carrier.Start()

	last, stopLast := context.WithCancel(context.WithoutCancel(ctx)) // outlives the public listener
	var g errgroup.Group
	g.Go(func() error { presence.Run(last); return nil })
	g.Go(func() error { return ops.Serve(last, private) })
	p.log.Info("ready", "webhooks", public.Addr().String(), "operators", private.Addr().String())
	err := server.Serve(ctx, public, noticeFor)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	err = errors.Join(err, carrier.Stop(stop))
	stopLast()
	err = errors.Join(err, g.Wait())
	p.log.Info("stopped")
	return err
}

// withReceipts tells the rules which channels report delivery.
func (r *rooms) withReceipts() map[string]conversation.Settings {
	out := map[string]conversation.Settings{}
	for name, s := range r.settings {
		s.Receipts = r.channels[name].Limits().Receipts
		out[name] = s
	}
	return out
}

func (r *rooms) presence(p *process, ops *api.Ops) *api.Presence {
	typists, accountOf := map[string]api.Typist{}, map[string]string{}
	for name, c := range r.clouds {
		typists[name] = c
	}
	for _, c := range r.config.Channels {
		accountOf[c.Name] = c.Account
	}
	return api.NewPresence(api.PresenceConfig{
		Accounts: typists, Channels: r.channels, AccountOf: accountOf, Directory: r.store,
		ExternalID: r.identity.Consumer, Ops: ops, Log: p.log,
	})
}

// late journals events that came when their conversation was over.
func (r *rooms) late(ctx context.Context, d message.Dispatch) error {
	err := r.store.Note(ctx, []message.Note{{
		At: time.Now(), Address: d.Address, Account: d.Stream.Account, Conversation: d.Stream.Conversation,
		What: "late", Detail: fmt.Sprintf("%d event(s) after the conversation was over", len(d.Events)),
	}})
	if err != nil {
		return err
	}
	return r.store.Settled(ctx, d.Stream, d.Events[len(d.Events)-1].Sequence)
}

func runWorker(ctx context.Context, p *process, args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	config, err := LoadWorker(p.lookuper(), p.env)
	if err != nil {
		return err
	}
	tasks := newTaskMetrics()
	config.Temporal.MetricsHandler = tasks.handler()
	r, err := open(ctx, p, config)
	if err != nil {
		return err
	}
	defer r.close()
	private, err := listen(ctx, "PARLEY_OPS_ADDR", config.OpsAddr)
	if err != nil {
		return err
	}
	return r.serveWorker(ctx, p, private, tasks)
}

func (r *rooms) serveWorker(ctx context.Context, p *process, private net.Listener, tasks *taskMetrics) error {
	ops := api.NewOps(p.log,
		api.Check{Name: "database", Ping: r.store.Ready},
		api.Check{Name: "temporal", Ping: func(ctx context.Context) error { return reachable(ctx, r.temporal) }})
	tasks.register(ops.Registry())
	ops.Registry().MustRegister(r.clock, r.circuits)
	last, stopLast := context.WithCancel(context.WithoutCancel(ctx))
	var g errgroup.Group
	g.Go(func() error { return ops.Serve(last, private) })
	defer func() { stopLast(); _ = g.Wait() }()

	clouds := map[string]activities.Cloud{}
	for name, c := range r.clouds {
		clouds[name] = c
	}
	w := worker.New(r.temporal, &activities.Activities{
		Clouds: clouds, Channels: r.channelPolicies(), Store: r.store, Files: r.files(p.log), Trimmer: r.store, Observer: observe(ops.Registry()),
		Grace: r.config.EchoGrace, Log: p.log,
	}, worker.Defaults)
	if err := waitForTemporal(ctx, p, r.temporal); err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	p.log.Info("ready", "operators", private.Addr().String())
	<-ctx.Done()
	ops.Drain()
	w.Stop()
	p.log.Info("stopped")
	return nil
}

func reachable(ctx context.Context, c client.Client) error {
	_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// waitForTemporal waits as long as it takes: a worker without Temporal has nothing
// else to do.
func waitForTemporal(ctx context.Context, p *process, c client.Client) error {
	for attempt := 0; ; attempt++ {
		check, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := reachable(check, c)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		if attempt%10 == 0 {
			p.log.Warn("waiting for Temporal", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func runSimulator(ctx context.Context, p *process, args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	config, err := simulator.LoadConfig(ctx, p.lookuper())
	if err != nil {
		return errUsage{err.Error()}
	}
	s, err := simulator.New(config, simulator.WithLogger(p.log))
	if err != nil {
		return errUsage{err.Error()}
	}
	return s.Run(ctx)
}

func noArguments(args []string) error {
	if len(args) > 0 {
		return errUsage{fmt.Sprintf("takes no arguments, got %q: all configuration comes from the environment", strings.Join(args, " "))}
	}
	return nil
}

func listen(ctx context.Context, name, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: set %s to another address", err, name)
	}
	return l, nil
}
