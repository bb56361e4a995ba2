// Package temporal runs a Temporal server and its web UI inside this process, on
// a SQLite file or on Postgres. It is meant for a laptop, for tests and for
// benchmarks: one host, no TLS, no authentication, everything on loopback.
//
// It stays out of what Parley keeps in Temporal: namespaces other than the one
// it is asked for, and search attributes, are set up by `parley migrate` through
// the public API.
package temporal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"go.uber.org/zap/zapcore"
	"parley/dev/internal/ports"
)

// Config says where the server listens and where it keeps its state. Exactly one
// of SQLite and Postgres has to be set.
type Config struct {
	Address   string // host:port of the gRPC frontend
	UIAddress string // host:port of the web UI; empty for none
	SQLite    string // path of the database file, created when it does not exist
	Postgres  string // URL; the databases and their schema are created when missing
	Database  string // name of the main database on Postgres; visibility gets the suffix "_visibility"
	Namespace string // created when missing, with a retention of seven days
	LogLevel  string // debug, info, warn or error
	Log       io.Writer
}

// Server is a running Temporal server.
type Server struct {
	internal temporal.Server
	ui       *webUI
	logs     *logs
}

// Start returns once the frontend answers and the namespace can be used, which
// takes about half a second on SQLite.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	logs, err := newLogs(cfg.LogLevel, cfg.Log)
	if err != nil {
		return nil, err
	}
	host, port, err := bindAddress(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("address of the server: %w", err)
	}
	stores, err := openStores(ctx, cfg, logs)
	if err != nil {
		return nil, err
	}
	server, err := newServer(serverConfig(host, port, stores), logs)
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start the Temporal server: %w", err)
	}
	s := &Server{internal: server, logs: logs}
	if err := AwaitReady(ctx, cfg.Address, cfg.Namespace); err != nil {
		return nil, errors.Join(err, s.Stop(time.Second))
	}
	if cfg.UIAddress != "" {
		if s.ui, err = startUI(cfg.UIAddress, cfg.Address, cfg.Namespace); err != nil {
			return nil, errors.Join(err, s.Stop(time.Second))
		}
	}
	logs.listen()
	return s, nil
}

// Stop ends the UI and the server. Its services wait for each other and may take
// ten seconds and more. What the server has acknowledged is on disk at any time,
// so giving up after the budget loses nothing.
func (s *Server) Stop(budget time.Duration) error {
	s.logs.quiet(zapcore.FatalLevel)
	if s.ui != nil {
		s.ui.stop()
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.internal.Stop() }()
	select {
	case err := <-stopped:
		return err
	case <-time.After(budget):
		return fmt.Errorf("the Temporal server did not stop within %s", budget)
	}
}

func newServer(cfg *config.Config, logger log.Logger) (temporal.Server, error) {
	claims, err := authorization.GetClaimMapperFromConfig(&cfg.Global.Authorization, logger)
	if err != nil {
		return nil, fmt.Errorf("set up the Temporal server: %w", err)
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(members(cfg)),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
		temporal.WithDynamicConfigClient(dynamicConfig()),
	)
	if err != nil {
		return nil, fmt.Errorf("set up the Temporal server: %w", err)
	}
	return server, nil
}

const (
	clusterName = "active"
	loopback    = "127.0.0.1"
)

// serverConfig describes a cluster of one process. Metrics and profiles have no
// listener: a second server on the same machine would collide with them.
func serverConfig(host string, port int, stores config.Persistence) *config.Config {
	frontend := net.JoinHostPort(dialHost(host), strconv.Itoa(port))
	cfg := &config.Config{
		Persistence: stores,
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			"frontend": {RPC: config.RPC{GRPCPort: port, BindOnIP: host}},
			"history":  internalService(),
			"matching": internalService(),
			"worker":   internalService(),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		PublicClient: config.PublicClient{HostPort: frontend},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}
	cfg.Global.Membership = config.Membership{MaxJoinDuration: 10 * time.Second, BroadcastAddress: loopback}
	return cfg
}

// members tells every service where the others are. Gossip would find them too,
// but it takes longer, and after a kill -9 it first looks for the dead ones.
func members(cfg *config.Config) map[primitives.ServiceName]static.Hosts {
	hosts := make(map[primitives.ServiceName]static.Hosts, len(cfg.Services))
	for name, service := range cfg.Services {
		host := dialHost(cmp.Or(service.RPC.BindOnIP, loopback))
		address := net.JoinHostPort(host, strconv.Itoa(service.RPC.GRPCPort))
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(address)
	}
	return hosts
}

// internalService listens on a port of its own. Where there is none left, the
// server fails to start and says so.
func internalService() config.Service {
	port, _ := ports.Servers.Free()
	return config.Service{RPC: config.RPC{GRPCPort: port, BindOnLocalHost: true}}
}

// bindAddress turns host:port into what Temporal's configuration wants: an IP
// address and a number.
func bindAddress(address string) (string, int, error) {
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return "", 0, err
	}
	if tcp.Port == 0 {
		return "", 0, fmt.Errorf("%q has no port", address)
	}
	host := "0.0.0.0"
	if tcp.IP != nil {
		host = tcp.IP.String()
	}
	return host, tcp.Port, nil
}

// dialHost is the address under which the process reaches its own frontend.
func dialHost(bind string) string {
	if ip := net.ParseIP(bind); ip != nil && ip.IsUnspecified() {
		return loopback
	}
	return bind
}
