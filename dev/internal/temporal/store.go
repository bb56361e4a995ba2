package temporal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/tools/common/schema"
	"go.temporal.io/server/tools/sql"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retention is how long a closed workflow can still be looked at.
const retention = 7 * 24 * time.Hour

// duplicateDatabase is Postgres's code for "there is a database of that name".
const duplicateDatabase = "42P04"

// Shards cannot be changed once a database exists.
const (
	shardsSQLite   = 1 // one writer: more shards would only wait for each other
	shardsPostgres = 4
)

// openStores makes sure that the databases exist with the newest schema, and the
// namespace in them: doing it before the server starts saves its first users the
// wait for the namespace cache.
func openStores(ctx context.Context, cfg Config, logger log.Logger) (config.Persistence, error) {
	switch {
	case (cfg.SQLite == "") == (cfg.Postgres == ""):
		return config.Persistence{}, errors.New("choose one store: SQLite or Postgres")
	case cfg.SQLite != "":
		return openSQLite(cfg)
	default:
		return openPostgres(ctx, cfg, logger)
	}
}

func openSQLite(cfg Config) (config.Persistence, error) {
	store := &config.SQL{
		PluginName:   sqliteplugin.PluginName,
		DatabaseName: cfg.SQLite,
		// A write-ahead log with a sync at every commit is as durable as the default
		// journal and twice as fast.
		ConnectAttributes: map[string]string{"mode": "rwc", "journal_mode": "wal", "synchronous": "2"},
	}
	if err := createSQLite(store); err != nil {
		return config.Persistence{}, fmt.Errorf("database %s: %w", cfg.SQLite, err)
	}
	if err := createNamespace(store, cfg.Namespace); err != nil {
		return config.Persistence{}, fmt.Errorf("database %s: %w", cfg.SQLite, err)
	}
	return persistence(shardsSQLite, store, store), nil
}

// createSQLite writes the schema into a file beside the final one and renames it
// when it is complete, so that a kill in between cannot leave half a schema: the
// server never migrates a SQLite file that exists.
func createSQLite(store *config.SQL) error {
	final := store.DatabaseName
	if _, err := os.Stat(final); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return err
	}
	fresh := *store
	fresh.DatabaseName = final + ".new"
	fresh.ConnectAttributes = map[string]string{"mode": "rwc", "synchronous": "0"}
	if err := os.RemoveAll(fresh.DatabaseName); err != nil {
		return err
	}
	if err := sqlite.SetupSchema(&fresh); err != nil {
		return err
	}
	return os.Rename(fresh.DatabaseName, final)
}

func openPostgres(ctx context.Context, cfg Config, logger log.Logger) (config.Persistence, error) {
	main, err := postgresStore(cfg.Postgres)
	if err != nil {
		return config.Persistence{}, err
	}
	main.DatabaseName = cmp.Or(cfg.Database, "temporal")
	visibility := *main
	visibility.DatabaseName += "_visibility"
	for store, name := range map[*config.SQL]string{main: "temporal", &visibility: "visibility"} {
		if err := createDatabase(ctx, cfg.Postgres, store.DatabaseName); err != nil {
			return config.Persistence{}, fmt.Errorf("create database %s: %w", store.DatabaseName, err)
		}
		if err := migratePostgres(store, "postgresql/v12/"+name, logger); err != nil {
			return config.Persistence{}, fmt.Errorf("schema of database %s: %w", store.DatabaseName, err)
		}
	}
	if err := createNamespace(main, cfg.Namespace); err != nil {
		return config.Persistence{}, fmt.Errorf("database %s: %w", main.DatabaseName, err)
	}
	return persistence(shardsPostgres, main, &visibility), nil
}

func postgresStore(address string) (*config.SQL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User == nil || !strings.HasPrefix(u.Scheme, "postgres") {
		return nil, errors.New("the Postgres URL has to look like postgres://user:password@host:port/name")
	}
	attributes := map[string]string{}
	for key, values := range u.Query() {
		attributes[key] = values[0]
	}
	password, _ := u.User.Password()
	return &config.SQL{
		PluginName:        postgresql.PluginNamePGX,
		User:              u.User.Username(),
		Password:          password,
		ConnectProtocol:   "tcp",
		ConnectAddr:       net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "5432")),
		ConnectAttributes: attributes,
		MaxConns:          20,
		MaxIdleConns:      20,
		MaxConnLifetime:   time.Hour,
	}, nil
}

// migratePostgres brings the schema to the version of this server. It can be
// repeated.
func migratePostgres(store *config.SQL, name string, logger log.Logger) error {
	conn, err := sql.NewConnection(store, logger)
	if err != nil {
		return err
	}
	defer conn.Close()
	setup := schema.NewSetupSchemaTask(conn, &schema.SetupConfig{InitialVersion: "0.0"}, logger)
	if err := setup.Run(); err != nil {
		return err
	}
	return schema.NewUpdateSchemaTask(conn, &schema.UpdateConfig{DBName: store.DatabaseName, SchemaName: name}, logger).Run()
}

// createDatabase does nothing when the database is there, or when somebody else
// creates it at the same moment.
func createDatabase(ctx context.Context, server, name string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var found bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&found)
	if err != nil || found {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == duplicateDatabase {
		return nil
	}
	return err
}

// createNamespace writes the namespace straight into the database. The function
// it uses lives in Temporal's sqlite package, but works on any SQL store.
func createNamespace(store *config.SQL, name string) error {
	namespace, err := sqlite.NewNamespaceConfig(clusterName, name, false, nil)
	if err != nil {
		return fmt.Errorf("namespace %s: %w", name, err)
	}
	namespace.Detail.Config.Retention = durationpb.New(retention)
	if err := sqlite.CreateNamespaces(store, namespace); err != nil {
		return fmt.Errorf("namespace %s: %w", name, err)
	}
	return nil
}

func persistence(shards int32, main, visibility *config.SQL) config.Persistence {
	return config.Persistence{
		DefaultStore:     "main",
		VisibilityStore:  "visibility",
		NumHistoryShards: shards,
		DataStores: map[string]config.DataStore{
			"main":       {SQL: main},
			"visibility": {SQL: visibility},
		},
	}
}
