package db

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/tern/v2/migrate"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// versionTable is named after us, as Temporal, which may share the database, has
// a schema_version of its own.
const versionTable = "parley_schema_version"

const createInstallation = `
INSERT INTO installation (digest_key) VALUES (@key)
ON CONFLICT (id) DO NOTHING`

// Migrate brings the schema to the version this program knows and makes the
// installation's digest key if there is none. It may be called again, and by
// several processes at once: they take turns. A schema that is newer than this
// program is left as it is. progress, when not nil, is told what is done.
func Migrate(ctx context.Context, url string, progress func(step string)) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("migrate: connect: %w", redacted(err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	m, err := migrator(ctx, conn)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	m.OnStart = func(_ int32, name, _, _ string) {
		if progress != nil {
			progress(name)
		}
	}
	version, err := m.GetCurrentVersion(ctx)
	if err != nil {
		return fmt.Errorf("migrate: read version: %w", err)
	}
	if int(version) > len(m.Migrations) {
		return nil
	}
	if err := m.Migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails
	if _, err := conn.Exec(ctx, createInstallation, pgx.NamedArgs{"key": key}); err != nil {
		return fmt.Errorf("migrate: create installation: %w", err)
	}
	return nil
}

func migrator(ctx context.Context, conn *pgx.Conn) (*migrate.Migrator, error) {
	m, err := migrate.NewMigrator(ctx, conn, versionTable)
	if err != nil {
		return nil, fmt.Errorf("version table: %w", err)
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	if err := m.LoadMigrations(files); err != nil {
		return nil, fmt.Errorf("load migrations: %w", err)
	}
	return m, nil
}

// latestVersion is the number of the newest migration.
func latestVersion() int {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return 0 // only a malformed pattern can fail
	}
	return len(files)
}
