package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"
)

// Every flag of a command is also an environment variable and a key of the
// config file: --remote-start-expire is LEYDEN_REMOTE_START_EXPIRE and
//
//	[remote_start]
//	expire = "120s"
//
// A flag beats the environment, which beats the file.

// notSettings are flags that make no sense elsewhere.
var notSettings = []string{"help", "config"}

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
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || slices.Contains(notSettings, f.Name) {
			return
		}
		name := envName(f.Name)
		if v, ok := getenv(name); ok {
			if err := flags.Set(f.Name, v); err != nil {
				errs = append(errs, usagef("environment variable %s: %v", name, err))
			}
			return
		}
		if v, ok := fromFile[f.Name]; ok {
			if err := flags.Set(f.Name, v); err != nil {
				errs = append(errs, usagef("config file %s: key %s: %v", path, f.Name, err))
			}
		}
	})
	if len(errs) > 0 {
		return errs[0]
	}
	return nil
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

// readConfig returns the values of a TOML file by the flags they stand for.
func readConfig(path string, flags *pflag.FlagSet) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	var tree map[string]any
	if _, err := toml.DecodeFile(path, &tree); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("config file %s is not there; leave out --config or name another", path)
		}
		return nil, usagef("config file %s: %v", path, strings.TrimPrefix(err.Error(), "toml: "))
	}
	values := make(map[string]string)
	if err := flatten(tree, "", values); err != nil {
		return nil, usagef("config file %s: %v", path, err)
	}
	for key := range values {
		if flags.Lookup(key) == nil || slices.Contains(notSettings, key) {
			return nil, usagef("config file %s: there is no key %s; the keys are %s", path, key, strings.Join(keys(flags), ", "))
		}
	}
	return values, nil
}

// flatten writes the leaves of a TOML tree under the names of flags.
func flatten(tree map[string]any, prefix string, into map[string]string) error {
	for key, value := range tree {
		name := prefix + strings.ReplaceAll(key, "_", "-")
		if _, twice := into[name]; twice {
			return fmt.Errorf("key %s is there twice", name)
		}
		switch v := value.(type) {
		case map[string]any:
			if err := flatten(v, name+"-", into); err != nil {
				return err
			}
		case []any:
			return fmt.Errorf("key %s takes one value, not a list", name)
		default:
			into[name] = fmt.Sprint(v)
		}
	}
	return nil
}

func keys(flags *pflag.FlagSet) []string {
	var names []string
	flags.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(notSettings, f.Name) {
			names = append(names, strings.ReplaceAll(f.Name, "-", "_"))
		}
	})
	sort.Strings(names)
	return names
}

// lookupEnv is os.LookupEnv, but an empty value is none.
func lookupEnv(name string) (string, bool) {
	v := os.Getenv(name)
	return v, v != ""
}
