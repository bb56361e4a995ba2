package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sethvargo/go-envconfig"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const signingSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// complete is an environment in which every command starts.
func complete() map[string]string {
	return map[string]string{
		"DATABASE_URL":                       "postgres://parley:secret-of-db@db:5432/parley",
		"TEMPORAL_ADDRESS":                   "temporal:7233",
		"PARLEY_PUBLIC_URL":                  "https://hooks.example.org/parley",
		"PARLEY_ACCOUNTS":                    "main,de-ch",
		"PARLEY_ACCOUNT_MAIN_SITE_ID":        "40112233",
		"PARLEY_ACCOUNT_MAIN_CLIENT_ID":      "client-main",
		"PARLEY_ACCOUNT_MAIN_CLIENT_SECRET":  "first-of-main, second-of-main",
		"PARLEY_ACCOUNT_DE_CH_SITE_ID":       "le40112234",
		"PARLEY_ACCOUNT_DE_CH_CLIENT_ID":     "client-de",
		"PARLEY_ACCOUNT_DE_CH_CLIENT_SECRET": "secret-of-de",
		"PARLEY_ACCOUNT_DE_CH_SURVEY":        "off",
		"PARLEY_CHANNELS":                    "sms,my-web",
		"PARLEY_CHANNEL_SMS_KIND":            "twilio",
		"PARLEY_CHANNEL_SMS_ACCOUNT":         "main",
		"PARLEY_CHANNEL_SMS_ACCOUNT_SID":     "AC00000000000000000000000000000001",
		"PARLEY_CHANNEL_SMS_AUTH_TOKEN":      "token-of-sms",
		"PARLEY_CHANNEL_SMS_FROM":            "+15550100900",
		"PARLEY_CHANNEL_MY_WEB_KIND":         "http",
		"PARLEY_CHANNEL_MY_WEB_ACCOUNT":      "de-ch",
		"PARLEY_CHANNEL_MY_WEB_LANGUAGE":     "de-CH",
		"PARLEY_CHANNEL_MY_WEB_URL":          "chat.example.org/in?tenant=7",
		"PARLEY_CHANNEL_MY_WEB_SECRET":       signingSecret,
	}
}

func environ(vars map[string]string) []string {
	var out []string
	for k, v := range vars {
		out = append(out, k+"="+v)
	}
	return out
}

func loadAPI(vars map[string]string) (Config, error) {
	return LoadAPI(envconfig.MapLookuper(vars), environ(vars))
}

// problems returns the lines of a configuration error.
func problems(t *testing.T, err error) []string {
	t.Helper()
	var c *ConfigError
	require.True(t, errors.As(err, &c), "%v is no *ConfigError", err)
	assert.True(t, slices.IsSorted(c.Problems))
	return c.Problems
}

func TestCompleteEnvironment(t *testing.T) {
	t.Parallel()
	vars := complete()
	c, err := loadAPI(vars)
	require.NoError(t, err)
	assert.Empty(t, c.Warnings)
	assert.EqualValues(t, vars["DATABASE_URL"], c.Database)
	assert.Equal(t, "temporal:7233", c.Temporal.HostPort)
	assert.Equal(t, ":8080", c.APIAddr)
	assert.Equal(t, "127.0.0.1:8081", c.OpsAddr)
	assert.Equal(t, "https://hooks.example.org/parley", c.PublicURL)
	assert.EqualValues(t, 4<<20, c.MaxBody)
	assert.Equal(t, 5*time.Second, c.EchoGrace)
	assert.Equal(t, 2*time.Second, c.ReorderWindow)
	assert.Equal(t, []Account{
		{Name: "main", SiteID: "40112233", ClientID: "client-main", ClientSecrets: Secrets{"first-of-main", "second-of-main"},
			DomainAPI: "https://api.liveperson.net", Survey: "connector", SurveyTimeout: time.Hour, FileTypes: []string{"JPG", "JPEG", "PNG", "GIF"}, FileMax: 3 << 20},
		{Name: "de-ch", SiteID: "le40112234", ClientID: "client-de", ClientSecrets: Secrets{"secret-of-de"},
			DomainAPI: "https://api.liveperson.net", Survey: "off", SurveyTimeout: time.Hour, FileTypes: []string{"JPG", "JPEG", "PNG", "GIF"}, FileMax: 3145728},
	}, c.Accounts)
	assert.Equal(t, []Channel{
		{Name: "sms", Kind: "twilio", Account: "main", Language: "en", Uncertain: "confirm", Twilio: &TwilioChannel{
			AccountSID: "AC00000000000000000000000000000001", AuthTokens: Secrets{"token-of-sms"}, From: "+15550100900", BaseURL: "https://api.twilio.com"}},
		{Name: "my-web", Kind: "http", Account: "de-ch", Language: "de-CH", Uncertain: "confirm", HTTP: &HTTPChannel{
			URL: "https://chat.example.org/in?tenant=7", Secrets: Secrets{signingSecret}}},
	}, c.Channels)

	var plain []string = c.Accounts[0].ClientSecrets
	assert.Equal(t, []string{"first-of-main", "second-of-main"}, plain)

	w, err := LoadWorker(envconfig.MapLookuper(vars), nil)
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.1:8082", w.OpsAddr)
}

func TestValues(t *testing.T) {
	t.Parallel()
	vars := complete()
	maps.Copy(vars, map[string]string{
		"PARLEY_API_ADDR":                    "127.0.0.1:0",
		"PARLEY_OPS_ADDR":                    "127.0.0.1:0",
		"PARLEY_MAX_BODY":                    "1024",
		"PARLEY_ECHO_GRACE":                  "0s",
		"PARLEY_REORDER_WINDOW":              " 500ms ",
		"PARLEY_ACCOUNT_MAIN_DOMAIN_API":     "http://127.0.0.1:9000/lp/",
		"PARLEY_ACCOUNT_MAIN_SURVEY":         "cloud",
		"PARLEY_ACCOUNT_MAIN_SURVEY_TIMEOUT": "90m",
		"PARLEY_CHANNEL_SMS_BASE_URL":        "twilio.example",
		"PARLEY_CHANNEL_SMS_CLOSE_KEYWORDS":  "bye, see you ,",
		"PARLEY_CHANNEL_SMS_UNCERTAIN":       "park",
		"TEMPORAL_NAMESPACE":                 "parley",
	})
	c, err := loadAPI(vars)
	require.NoError(t, err)
	assert.EqualValues(t, 1024, c.MaxBody)
	assert.Zero(t, c.EchoGrace)
	assert.Equal(t, 500*time.Millisecond, c.ReorderWindow)
	assert.Equal(t, "http://127.0.0.1:9000/lp", c.Accounts[0].DomainAPI)
	assert.Equal(t, "cloud", c.Accounts[0].Survey)
	assert.Equal(t, 90*time.Minute, c.Accounts[0].SurveyTimeout)
	assert.Equal(t, "https://twilio.example", c.Channels[0].Twilio.BaseURL)
	assert.Equal(t, []string{"bye", "see you"}, c.Channels[0].CloseKeywords)
	assert.Equal(t, "park", c.Channels[0].Uncertain)
	assert.Equal(t, "parley", c.Temporal.Namespace)
}

func TestEveryMistakeIsNamed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct {
		set  map[string]string // "" removes
		want []string          // each line begins with one of these, in order
	}{
		"nothing is set": {
			set: func() map[string]string {
				all := complete()
				for k := range all {
					all[k] = ""
				}
				return all
			}(),
			want: []string{"DATABASE_URL: is not set", "PARLEY_ACCOUNTS: is not set", "PARLEY_CHANNELS: is not set"},
		},
		"an account and a channel with nothing": {
			set: map[string]string{"PARLEY_ACCOUNTS": "main,de-ch,fr", "PARLEY_CHANNELS": "sms,my-web,line,chat", "PARLEY_CHANNEL_CHAT_KIND": "http"},
			want: []string{
				"PARLEY_ACCOUNT_FR_CLIENT_ID: is not set", "PARLEY_ACCOUNT_FR_CLIENT_SECRET: is not set; set it, or PARLEY_ACCOUNT_FR_CLIENT_SECRET_FILE,",
				"PARLEY_ACCOUNT_FR_SITE_ID: is not set",
				"PARLEY_CHANNEL_CHAT_ACCOUNT: is not set", "PARLEY_CHANNEL_CHAT_SECRET: is not set", "PARLEY_CHANNEL_CHAT_URL: is not set",
				"PARLEY_CHANNEL_LINE_ACCOUNT: is not set", "PARLEY_CHANNEL_LINE_KIND: is not set; set it to one of twilio, http",
			},
		},
		"values that make no sense": {
			set: map[string]string{
				"DATABASE_URL":                       "postgres://u:hidden-password@db:port/x",
				"TEMPORAL_ADDRESS":                   "http://temporal:7233",
				"PARLEY_API_ADDR":                    "8080",
				"PARLEY_OPS_ADDR":                    "127.0.0.1:http",
				"PARLEY_MAX_BODY":                    "-1",
				"PARLEY_ECHO_GRACE":                  "5",
				"PARLEY_REORDER_WINDOW":              "-2s",
				"PARLEY_ACCOUNT_MAIN_SITE_ID":        "401/12",
				"PARLEY_ACCOUNT_MAIN_DOMAIN_API":     "ftp://x.example",
				"PARLEY_ACCOUNT_MAIN_SURVEY":         "pcs",
				"PARLEY_ACCOUNT_MAIN_SURVEY_TIMEOUT": "0s",
				"PARLEY_CHANNEL_SMS_BASE_URL":        "https://u:p@twilio.example",
				"PARLEY_CHANNEL_SMS_UNCERTAIN":       "maybe",
				"PARLEY_CHANNEL_MY_WEB_ACCOUNT":      "fr",
				"PARLEY_CHANNEL_MY_WEB_LANGUAGE":     "deutsch?",
				"PARLEY_CHANNEL_MY_WEB_URL":          "https://",
				"PARLEY_CHANNEL_MY_WEB_RICH":         "yes",
				"PARLEY_ACCOUNT_MAIN_FILE_TYPES":     "JPG,image/png",
				"PARLEY_ACCOUNT_MAIN_FILE_MAX":       "3 MB",
				"PARLEY_API_TLS_KEY":                 "/not/there.key",
				"PARLEY_API_CLIENT_CA":               "/not/there.pem",
			},
			want: []string{
				"DATABASE_URL: is not a Postgres URL; write", "PARLEY_ACCOUNT_MAIN_DOMAIN_API: begins with \"ftp://\"; use http or https",
				"PARLEY_ACCOUNT_MAIN_FILE_MAX: \"3 MB\" is not a number of bytes", "PARLEY_ACCOUNT_MAIN_FILE_TYPES: \"IMAGE/PNG\" is not a type",
				"PARLEY_ACCOUNT_MAIN_SITE_ID: holds", "PARLEY_ACCOUNT_MAIN_SURVEY: \"pcs\" is unknown; use one of connector, cloud, off",
				"PARLEY_ACCOUNT_MAIN_SURVEY_TIMEOUT: 0s is out of range", "PARLEY_API_ADDR: \"8080\" is not an address",
				"PARLEY_API_CLIENT_CA: names a file that cannot be used", "PARLEY_API_TLS_CERT: is not set; set it to the file",
				"PARLEY_CHANNEL_MY_WEB_ACCOUNT: \"fr\" is not in PARLEY_ACCOUNTS; add it", "PARLEY_CHANNEL_MY_WEB_LANGUAGE: ",
				"PARLEY_CHANNEL_MY_WEB_RICH: \"yes\" is unknown; use one of on, off",
				"PARLEY_CHANNEL_MY_WEB_URL: has no host", "PARLEY_CHANNEL_SMS_BASE_URL: holds a user name",
				"PARLEY_CHANNEL_SMS_UNCERTAIN: \"maybe\" is unknown", "PARLEY_ECHO_GRACE: \"5\" is not a duration",
				"PARLEY_MAX_BODY: -1 is out of range", "PARLEY_OPS_ADDR: ", "PARLEY_REORDER_WINDOW: -2s is out of range",
				"TEMPORAL_ADDRESS: \"http://temporal:7233\" is not an address",
			},
		},
		"names": {
			set: map[string]string{"PARLEY_ACCOUNTS": "main,de-ch,main,Big,a_b", "PARLEY_CHANNELS": "sms,my-web,sms"},
			want: []string{
				`PARLEY_ACCOUNTS: "Big" is not a name`, `PARLEY_ACCOUNTS: "a_b" is not a name`, `PARLEY_ACCOUNTS: "main" is there twice`,
				`PARLEY_CHANNELS: "sms" is there twice`,
			},
		},
		"secrets": {
			set: map[string]string{
				"PARLEY_ACCOUNT_MAIN_CLIENT_SECRET":       "first,,third",
				"PARLEY_ACCOUNT_DE_CH_CLIENT_SECRET_FILE": "/somewhere",
				"PARLEY_CHANNEL_SMS_AUTH_TOKEN":           "",
				"PARLEY_CHANNEL_SMS_AUTH_TOKEN_FILE":      "/not/there",
				"PARLEY_CHANNEL_MY_WEB_SECRET":            signingSecret + ",abcdefghijklmnop,whsec_%%%,whsec_c2hvcnQ=",
			},
			want: []string{
				"PARLEY_ACCOUNT_DE_CH_CLIENT_SECRET: is set, and so is PARLEY_ACCOUNT_DE_CH_CLIENT_SECRET_FILE; keep one",
				"PARLEY_ACCOUNT_MAIN_CLIENT_SECRET: has an empty entry",
				`PARLEY_CHANNEL_MY_WEB_SECRET: has an entry of fewer than 16 bytes`,
				`PARLEY_CHANNEL_MY_WEB_SECRET: has an entry that does not begin with "whsec_"`,
				`PARLEY_CHANNEL_MY_WEB_SECRET: has an entry whose part after "whsec_" is not Base64`,
				"PARLEY_CHANNEL_SMS_AUTH_TOKEN_FILE: names a file that cannot be read",
			},
		},
		"a public URL that ends with a slash": {
			set:  map[string]string{"PARLEY_PUBLIC_URL": "https://hooks.example.org/"},
			want: []string{"PARLEY_PUBLIC_URL: ends with a slash; remove it"},
		},
		"a public URL with a query": {
			set:  map[string]string{"PARLEY_PUBLIC_URL": "hooks.example.org?x=1"},
			want: []string{"PARLEY_PUBLIC_URL: holds a part after ?"},
		},
		"twilio without a public URL": {
			set:  map[string]string{"PARLEY_PUBLIC_URL": ""},
			want: []string{"PARLEY_PUBLIC_URL: is not set; a channel of kind twilio needs it"},
		},
		"one address for two listeners": {
			set:  map[string]string{"PARLEY_API_ADDR": "127.0.0.1:8081"},
			want: []string{"PARLEY_OPS_ADDR: is the same as PARLEY_API_ADDR"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := complete()
			maps.Copy(vars, change.set)
			_, err := loadAPI(vars)
			got := problems(t, err)
			if assert.Len(t, got, len(change.want), "%s", strings.Join(got, "\n")) {
				for i, want := range change.want {
					assert.True(t, strings.HasPrefix(got[i], want), "%q does not begin with %q", got[i], want)
				}
			}
			assert.NotContains(t, err.Error(), "hidden-password")
		})
	}
}

func TestCommandsRequireWhatTheyUse(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"DATABASE_URL": "postgres://db/parley", "PARLEY_ACCOUNTS": "NO NAME", "PARLEY_API_ADDR": "nonsense", "PARLEY_OPS_ADDR": "nonsense"}
	_, err := LoadMigrate(envconfig.MapLookuper(vars), environ(vars))
	assert.NoError(t, err)
	_, err = LoadMigrate(envconfig.MapLookuper(nil), nil)
	assert.Len(t, problems(t, err), 1)

	vars = complete()
	vars["PARLEY_API_ADDR"], vars["PARLEY_MAX_BODY"] = "nonsense", "nonsense"
	_, err = LoadWorker(envconfig.MapLookuper(vars), environ(vars))
	assert.NoError(t, err, "the worker has no public listener")
}

func TestAWebChannelAloneNeedsNoPublicURL(t *testing.T) {
	t.Parallel()
	vars := complete()
	vars["PARLEY_CHANNELS"], vars["PARLEY_PUBLIC_URL"] = "my-web", ""
	c, err := loadAPI(vars)
	require.NoError(t, err)
	assert.Empty(t, c.PublicURL)
}

func TestSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	vars := complete()
	for name, content := range map[string]string{
		"DATABASE_URL":                      "postgres://db/parley\n",
		"PARLEY_ACCOUNT_MAIN_CLIENT_SECRET": "a,b\r\n",
		"PARLEY_CHANNEL_SMS_AUTH_TOKEN":     "token",
		"PARLEY_CHANNEL_MY_WEB_SECRET":      signingSecret + "\n",
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		vars[name], vars[name+"_FILE"] = "", path
	}
	c, err := loadAPI(vars)
	require.NoError(t, err)
	assert.EqualValues(t, "postgres://db/parley", c.Database)
	assert.Equal(t, Secrets{"a", "b"}, c.Accounts[0].ClientSecrets)
	assert.Equal(t, Secrets{"token"}, c.Channels[0].Twilio.AuthTokens)
	assert.Equal(t, Secrets{signingSecret}, c.Channels[1].HTTP.Secrets)
	assert.Empty(t, c.Warnings)

	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	vars["DATABASE_URL_FILE"] = empty
	_, err = loadAPI(vars)
	assert.Contains(t, problems(t, err)[0], "DATABASE_URL_FILE: names an empty file")
}

func TestStrangersAreWarnedAbout(t *testing.T) {
	t.Parallel()
	vars := complete()
	maps.Copy(vars, map[string]string{
		"PARLEY_MAXBODY":                    "1",
		"PARLEY_ACCOUNT_MAIN_SURVY":         "x",
		"PARLEY_ACCOUNT_MAIN_FILE_TYPE":     "x",
		"PARLEY_CHANNEL_SMS_ROUTE":          "x",
		"PARLEY_CHANNEL_MY_WEB_ACCOUNT_SID": "AC1",
		"PARLEY_SIMULATOR_ADDR":             ":9000",
		"PARLEY_DEV_POSTGRES_ADDR":          ":5432",
		"PARLEY_ACCOUNT_FR_SITE_ID":         "1",
		"HOME":                              "/root",
	})
	c, err := loadAPI(vars)
	require.NoError(t, err)
	require.Len(t, c.Warnings, 6)
	assert.Equal(t, "PARLEY_ACCOUNT_MAIN_FILE_TYPE: is not a variable of Parley; did you mean PARLEY_ACCOUNT_MAIN_FILE_TYPES?", c.Warnings[1])
	assert.Equal(t, "PARLEY_CHANNEL_SMS_ROUTE: is not a variable of Parley; did you mean PARLEY_CHANNEL_SMS_ROUTES?", c.Warnings[4])
	assert.Contains(t, c.Warnings[0], "PARLEY_ACCOUNT_FR_SITE_ID: is of no account in PARLEY_ACCOUNTS")
	assert.Equal(t, "PARLEY_ACCOUNT_MAIN_SURVY: is not a variable of Parley; did you mean PARLEY_ACCOUNT_MAIN_SURVEY?", c.Warnings[2])
	assert.Contains(t, c.Warnings[3], "PARLEY_CHANNEL_MY_WEB_ACCOUNT_SID: is of no channel in PARLEY_CHANNELS, or not one of its kind")
	assert.Equal(t, "PARLEY_MAXBODY: is not a variable of Parley; did you mean PARLEY_MAX_BODY?", c.Warnings[5])

	typo := map[string]string{"DATABASE_URL": "postgres://db/parley", "PARLEY_ACCOUNT": "main"}
	_, err = loadAPI(typo)
	assert.ErrorContains(t, err, "PARLEY_ACCOUNT: is not a variable of Parley; did you mean PARLEY_ACCOUNTS?")

	m, err := LoadMigrate(envconfig.MapLookuper(vars), environ(vars))
	require.NoError(t, err)
	assert.Equal(t, c.Warnings, m.Warnings, "a variable of another command is no stranger")
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	c, err := loadAPI(complete())
	require.NoError(t, err)
	c.Temporal.Credentials = nil
	shown := fmt.Sprintf("%v %+v %#v %s", c, c.Accounts, c.Accounts, c.Database)
	for _, part := range []any{c.Database, c.Accounts, c.Channels} {
		b, err := json.Marshal(part)
		require.NoError(t, err)
		shown += string(b)
	}
	for _, ch := range c.Channels {
		shown += fmt.Sprintf("%+v %#v", ch.Twilio, ch.HTTP)
	}
	for _, secret := range []string{"secret-of-db", "first-of-main", "second-of-main", "secret-of-de", "token-of-sms", signingSecret} {
		assert.NotContains(t, shown, secret)
	}
}

func TestTemporalsOwnSettings(t *testing.T) {
	t.Parallel()
	vars := complete()
	vars["TEMPORAL_ADDRESS"] = ""
	c, err := loadAPI(vars)
	require.NoError(t, err)
	assert.Contains(t, []string{"", "localhost:7233"}, c.Temporal.HostPort)

	vars["TEMPORAL_TLS_CLIENT_CERT_PATH"], vars["TEMPORAL_TLS_CLIENT_KEY_PATH"] = "/not/there.pem", "/not/there.key"
	_, err = loadAPI(vars)
	assert.Contains(t, problems(t, err)[0], "TEMPORAL_*: Temporal's own settings cannot be used")

	vars = complete()
	vars["TEMPORAL_API_KEY"], vars["TEMPORAL_CONFIG_FILE"], vars["TEMPORAL_PROFILE"] = "hidden-api-key", "/not/there.toml", "prod"
	_, err = loadAPI(vars)
	assert.NotContains(t, strings.Join(problems(t, err), " "), "hidden-api-key")
}
