package temporal

import (
	"fmt"
	"net"
	"strconv"

	ui "github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

type webUI struct {
	server *ui.Server
	done   chan struct{}
}

// startUI serves the web UI. It needs nothing from the internet: its own look-up
// of news is switched off.
func startUI(address, frontend, namespace string) (*webUI, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address of the UI: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("address of the UI: %w", err)
	}
	// The UI's server ends the process when it cannot listen, so look first.
	probe, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("address of the UI: %w", err)
	}
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("address of the UI: %w", err)
	}
	server := ui.NewServer(server_options.WithConfigProvider(&config.Config{
		TemporalGRPCAddress: frontend,
		Host:                host,
		Port:                number,
		EnableUI:            true,
		DefaultNamespace:    namespace,
		DisableNewsFetch:    true,
		HideLogs:            true,
		CORS: config.CORS{
			// The default would let any page in the browser read what is in here.
			AllowOrigins: []string{"http://" + address},
			// Without TLS a browser would not send back a secure cookie, and every
			// button in the UI would be refused.
			CookieInsecure: true,
		},
	}))
	w := &webUI{server: server, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		_ = server.Start() // only ever returns nil
	}()
	return w, nil
}

func (w *webUI) stop() {
	w.server.Stop()
	<-w.done
}
