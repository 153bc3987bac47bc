package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"
)

// Every flag of a command is also an environment variable, and every flag of
// serve a key of the config file: --remote-start-expire is
// LEYDEN_REMOTE_START_EXPIRE and
//
//	[remote_start]
//	expire = "120s"
//
// A flag beats the environment, which beats the file.

// notSettings are flags that make no sense elsewhere.
var notSettings = []string{"help", "config"}

// An entry is what the config file says about one flag.
type entry struct {
	key   string // as it is written there, remote_start.expire
	value string
	list  bool // there are several, as CSV
}

// loadSettings sets the flags that were not given from the environment and from
// the config file.
func loadSettings(flags *pflag.FlagSet, getenv func(string) (string, bool)) error {
	path, err := configPath(flags, getenv)
	if err != nil {
		return err
	}
	fromFile, err := readConfig(path, flags)
	if err != nil {
		return err
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if err != nil || f.Changed || slices.Contains(notSettings, f.Name) {
			return
		}
		name := envName(f.Name)
		if v, ok := getenv(name); ok {
			err = set(flags, f, v, "environment variable "+name)
		} else if e, ok := fromFile[f.Name]; ok {
			err = set(flags, f, e.value, fmt.Sprintf("config file %s: key %s", path, e.key))
		}
	})
	return err
}

// set sets a flag to a text that does not come from the command line.
func set(flags *pflag.FlagSet, f *pflag.Flag, text, where string) error {
	if flags.Set(f.Name, text) == nil {
		return nil
	}
	return usagef("%s: %q is not %s", where, text, wanted(f))
}

// wanted says what a flag takes.
func wanted(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "int", "uint64":
		return "a whole number"
	case "float64":
		return "a number"
	case "size":
		return "a size with its unit, such as 512MiB"
	case "duration":
		return "a time with its unit, such as 90s or 5m"
	}
	return "what it takes"
}

func envName(flag string) string {
	return "LEYDEN_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func configPath(flags *pflag.FlagSet, getenv func(string) (string, bool)) (string, error) {
	f := flags.Lookup("config")
	if f == nil {
		return "", nil
	}
	if v, ok := getenv("LEYDEN_CONFIG"); ok && !f.Changed {
		if err := f.Value.Set(v); err != nil {
			return "", err
		}
	}
	return f.Value.String(), nil
}

// readConfig returns the entries of a TOML file by the flags they stand for.
func readConfig(path string, flags *pflag.FlagSet) (map[string]entry, error) {
	if path == "" {
		return nil, nil
	}
	var tree map[string]any
	if _, err := toml.DecodeFile(path, &tree); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("config file %s is not there; leave out --config or name another", path)
		}
		return nil, usagef("config file %s: %s", path, strings.TrimPrefix(err.Error(), "toml: "))
	}
	entries := make(map[string]entry)
	if err := flatten(tree, "", entries); err != nil {
		return nil, usagef("config file %s: %v", path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if flags.Lookup(name) == nil || slices.Contains(notSettings, name) {
			return nil, usagef("config file %s: there is no key %s; %s", path, entries[name].key, alike(name, flags))
		}
		if entries[name].list && flags.Lookup(name).Value.Type() != "stringSlice" {
			return nil, usagef("config file %s: key %s takes one value, not a list", path, entries[name].key)
		}
	}
	return entries, nil
}

// flatten enters the leaves of a TOML tree under the names of flags.
func flatten(tree map[string]any, prefix string, into map[string]entry) error {
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		path := prefix + key
		if sub, ok := tree[key].(map[string]any); ok {
			if err := flatten(sub, path+".", into); err != nil {
				return err
			}
			continue
		}
		name := strings.NewReplacer("_", "-", ".", "-").Replace(path)
		if other, twice := into[name]; twice {
			return fmt.Errorf("key %s is there twice, also as %s", path, other.key)
		}
		into[name] = entryOf(path, tree[key])
	}
	return nil
}

// entryOf returns an entry whose value is as flags read it: a list as CSV.
func entryOf(key string, value any) entry {
	list, ok := value.([]any)
	if !ok {
		return entry{key: key, value: fmt.Sprint(value)}
	}
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = `"` + strings.ReplaceAll(fmt.Sprint(v), `"`, `""`) + `"`
	}
	return entry{key: key, value: strings.Join(texts, ","), list: true}
}

// alike names the keys that begin with the same word, or says where all are.
func alike(name string, flags *pflag.FlagSet) string {
	word, _, _ := strings.Cut(name, "-")
	var names []string
	flags.VisitAll(func(f *pflag.Flag) { // in lexical order
		if strings.HasPrefix(f.Name, word) && !slices.Contains(notSettings, f.Name) {
			names = append(names, strings.ReplaceAll(f.Name, "-", "_"))
		}
	})
	if len(names) == 0 {
		return "`leyden serve --help` lists them"
	}
	return "there are " + strings.Join(names, ", ")
}

// lookupEnv is os.LookupEnv, but an empty value is none.
func lookupEnv(name string) (string, bool) {
	v := os.Getenv(name)
	return v, v != ""
}
