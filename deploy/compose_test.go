package deploy

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

const (
	composeFile = "../docker-compose.yml"
	exampleFile = "../.env.example"
)

// example is .env.example, filled in.
func example(t *testing.T) map[string]string {
	t.Helper()
	variables, err := dotenv.Read(exampleFile)
	require.NoError(t, err)
	for name, value := range variables {
		if value == "" {
			variables[name] = "filledin"
		}
	}
	return variables
}

// load reads the project as `docker compose config` does: schema, interpolation,
// anchors, profiles and the files that services name. The folder gets a .env.
func load(t *testing.T, variables map[string]string, profiles ...string) (*types.Project, error) {
	t.Helper()
	dir := t.TempDir()
	content, err := os.ReadFile(composeFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+"/docker-compose.yml", content, 0o600))
	var env []string
	for name, value := range variables {
		env = append(env, name+"="+value)
	}
	require.NoError(t, os.WriteFile(dir+"/.env", []byte(strings.Join(env, "\n")), 0o600))
	options, err := cli.NewProjectOptions([]string{dir + "/docker-compose.yml"},
		cli.WithWorkingDirectory(dir), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithProfiles(profiles))
	require.NoError(t, err)
	return options.LoadProject(context.Background())
}

func loaded(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	project, err := load(t, example(t), profiles...)
	require.NoError(t, err)
	return project
}

func TestServices(t *testing.T) {
	t.Parallel()
	always := []string{"api", "migrate", "postgres", "temporal", "temporal-schema", "temporal-ui", "worker"}
	require.ElementsMatch(t, always, loaded(t).ServiceNames())
	require.ElementsMatch(t, append(always, "simulator"), loaded(t, "demo").ServiceNames())
}

func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	for _, service := range loaded(t, "demo").Services {
		if service.Build != nil {
			require.Equal(t, "deploy/Dockerfile", service.Build.Dockerfile)
			continue
		}
		require.Regexp(t, `:\d+\.\d+(\.\d+)?$`, service.Image, service.Name)
	}
}

// once are services that do their work and end.
var once = []string{"migrate", "temporal-schema"}

func TestEverythingThatStaysIsWatched(t *testing.T) {
	t.Parallel()
	for _, service := range loaded(t, "demo").Services {
		if slices.Contains(once, service.Name) {
			require.Equal(t, "no", service.Restart, service.Name)
			continue
		}
		require.Equal(t, "unless-stopped", service.Restart, service.Name)
		require.NotNil(t, service.HealthCheck, service.Name)
		require.NotEmpty(t, service.HealthCheck.Test, service.Name)
	}
}

func TestStartsInOrder(t *testing.T) {
	t.Parallel()
	project := loaded(t, "demo")
	for service, needs := range map[string]map[string]string{
		"temporal-schema": {"postgres": types.ServiceConditionHealthy},
		"temporal":        {"temporal-schema": types.ServiceConditionCompletedSuccessfully},
		"temporal-ui":     {"temporal": types.ServiceConditionHealthy},
		"migrate":         {"postgres": types.ServiceConditionHealthy, "temporal": types.ServiceConditionHealthy},
		"api":             {"migrate": types.ServiceConditionCompletedSuccessfully},
		"worker":          {"migrate": types.ServiceConditionCompletedSuccessfully},
	} {
		got := map[string]string{}
		for name, dependency := range project.Services[service].DependsOn {
			got[name] = dependency.Condition
		}
		require.Equal(t, needs, got, service)
	}
}

func TestNothingIsPublishedBeyondLoopback(t *testing.T) {
	t.Parallel()
	for _, service := range loaded(t, "demo").Services {
		for _, port := range service.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s %d", service.Name, port.Target)
		}
	}
}

func TestParleyIsToldWhereEverythingIs(t *testing.T) {
	t.Parallel()
	project := loaded(t, "demo")
	for _, name := range []string{"migrate", "api", "worker"} {
		environment := project.Services[name].Environment
		require.Equal(t, "postgres://parley:filledin@postgres:5432/parley?sslmode=disable", *environment["DATABASE_URL"], name)
		require.Equal(t, "temporal:7233", *environment["TEMPORAL_ADDRESS"], name)
		require.Equal(t, "filledin", *environment["PARLEY_ACCOUNT_MAIN_CLIENT_SECRET"], name)
		require.Equal(t, types.ShellCommand{name}, project.Services[name].Command)
	}
	require.NotContains(t, project.Services["simulator"].Environment, "DATABASE_URL")
}

func TestMissingSecretsAreNamed(t *testing.T) {
	t.Parallel()
	variables := example(t)
	for _, value := range []string{"", "unset"} {
		variables["POSTGRES_PASSWORD"] = ""
		if value == "unset" {
			delete(variables, "POSTGRES_PASSWORD")
		}
		_, err := load(t, variables)
		require.ErrorContains(t, err, "POSTGRES_PASSWORD")
		require.ErrorContains(t, err, ".env.example")
	}
}

var secretName = regexp.MustCompile(`PASSWORD|PWD|SECRET|TOKEN|ACCOUNT_SID`)

func TestNoSecretIsInTheRepository(t *testing.T) {
	t.Parallel()
	variables, err := dotenv.Read(exampleFile)
	require.NoError(t, err)
	for name, value := range variables {
		if secretName.MatchString(name) {
			require.Empty(t, value, name)
		}
	}
	content, err := os.ReadFile(composeFile)
	require.NoError(t, err)
	for line := range strings.Lines(string(content)) {
		name, value, isSetting := strings.Cut(strings.TrimSpace(line), ": ")
		if isSetting && secretName.MatchString(name) && !strings.HasPrefix(name, "#") {
			require.Regexp(t, `^\$\{\w+:\?`, value, line)
		}
	}
}

func TestParleyRunsWithoutPrivileges(t *testing.T) {
	t.Parallel()
	for _, service := range loaded(t, "demo").Services {
		if service.Build == nil {
			continue
		}
		require.True(t, service.ReadOnly, service.Name)
		require.Equal(t, []string{"ALL"}, service.CapDrop, service.Name)
	}
}
