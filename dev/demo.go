package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// The demo talks to the simulator only, so its identifiers are made up; its
// secrets are made up on every machine anew, and kept in the state folder.

// secrets are the variables that are generated once, in the order of the file.
func secrets() []variable {
	return []variable{
		{"PARLEY_ACCOUNT_MAIN_CLIENT_SECRET", rand.Text()},
		{"PARLEY_CHANNEL_SMS_ACCOUNT_SID", "AC" + hex.EncodeToString(randomBytes(16))},
		{"PARLEY_CHANNEL_SMS_AUTH_TOKEN", hex.EncodeToString(randomBytes(16))},
		{"PARLEY_CHANNEL_WEB_SECRET", "whsec_" + base64.StdEncoding.EncodeToString(randomBytes(32))},
	}
}

type variable struct{ name, value string }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return b
}

// demoSecrets reads the file, and adds what it lacks.
func demoSecrets(path string) ([]variable, error) {
	known, err := readVariables(path)
	if err != nil {
		return nil, err
	}
	var added []variable
	for _, fresh := range secrets() {
		if !slices.ContainsFunc(known, func(v variable) bool { return v.name == fresh.name }) {
			added = append(added, fresh)
		}
	}
	if len(added) == 0 {
		return known, nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	for _, v := range added {
		if _, err := fmt.Fprintf(file, "%s=%s\n", v.name, v.value); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return append(known, added...), file.Close()
}

func readVariables(path string) ([]variable, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []variable
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if ok && !strings.HasPrefix(name, "#") {
			found = append(found, variable{name, value})
		}
	}
	return found, lines.Err()
}

// demoVariables configure Parley for one account and two channels, all played by
// the simulator.
func demoVariables(a addresses, secrets []variable) []variable {
	simulator := "http://" + a.simulator
	api := "http://" + a.api
	return append([]variable{
		{"PARLEY_API_ADDR", a.api},
		{"PARLEY_PUBLIC_URL", api},
		{"PARLEY_SIMULATOR_ADDR", a.simulator},
		{"PARLEY_SIMULATOR_PARLEY_URL", api},
		{"PARLEY_ACCOUNTS", "main"},
		{"PARLEY_ACCOUNT_MAIN_SITE_ID", "40112233"},
		{"PARLEY_ACCOUNT_MAIN_CLIENT_ID", "5b0f6c1e-9a57-4a8e-b2d1-6c7f1e2d3a44"},
		{"PARLEY_ACCOUNT_MAIN_DOMAIN_API", simulator},
		{"PARLEY_CHANNELS", "sms,web"},
		{"PARLEY_CHANNEL_SMS_KIND", "twilio"},
		{"PARLEY_CHANNEL_SMS_ACCOUNT", "main"},
		{"PARLEY_CHANNEL_SMS_LANGUAGE", "en"},
		{"PARLEY_CHANNEL_SMS_FROM", "+15550100900"},
		{"PARLEY_CHANNEL_SMS_BASE_URL", simulator},
		{"PARLEY_CHANNEL_WEB_KIND", "http"},
		{"PARLEY_CHANNEL_WEB_ACCOUNT", "main"},
		{"PARLEY_CHANNEL_WEB_LANGUAGE", "en"},
		{"PARLEY_CHANNEL_WEB_URL", simulator + "/provider/http/web"},
	}, secrets...)
}

// merge adds the variables that base does not set, neither directly nor as a
// secret in a file. An empty variable counts as not set. Accounts and channels which base does not list are left out.
func merge(base []string, more []variable) []string {
	set := make(map[string]string, len(base))
	for _, entry := range base {
		if name, value, _ := strings.Cut(entry, "="); value != "" {
			set[name] = value
		}
	}
	merged := slices.Clone(base)
	for _, v := range more {
		_, direct := set[v.name]
		_, inFile := set[v.name+"_FILE"]
		if direct || inFile || !listed(set, v.name) {
			continue
		}
		merged = append(merged, v.name+"="+v.value)
	}
	return merged
}

// listed tells whether the account or channel a variable belongs to is one that
// will be used.
func listed(set map[string]string, name string) bool {
	for prefix, list := range map[string]string{
		"PARLEY_ACCOUNT_MAIN_": "PARLEY_ACCOUNTS",
		"PARLEY_CHANNEL_SMS_":  "PARLEY_CHANNELS",
		"PARLEY_CHANNEL_WEB_":  "PARLEY_CHANNELS",
	} {
		names, chosen := set[list]
		if !strings.HasPrefix(name, prefix) || !chosen {
			continue
		}
		member := strings.ToLower(prefix[strings.LastIndex(prefix[:len(prefix)-1], "_")+1 : len(prefix)-1])
		return slices.ContainsFunc(strings.Split(names, ","), func(n string) bool {
			return strings.EqualFold(strings.TrimSpace(n), member)
		})
	}
	return true
}
