package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgxpool"
)

// bareCommand has this program be the handler that Parley is compared with.
const bareCommand = "bare"

// bareConnections is how many commits the bare handler has under way at most.
const bareConnections = 16

// serveBare answers a POST once its body is a row on disk; it does nothing else.
func serveBare() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	config.MaxConns = bareConnections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, `CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)`); err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.POST("/*any", func(c *gin.Context) {
		body, err := c.GetRawData()
		if err == nil {
			_, err = pool.Exec(c.Request.Context(), `INSERT INTO bare (body) VALUES ($1)`, body)
		}
		if err != nil {
			c.Status(http.StatusServiceUnavailable)
			return
		}
		c.Status(http.StatusAccepted)
	})
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: engine, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Info("ready", "webhooks", l.Addr().String())
	<-ctx.Done()
	return server.Close()
}
