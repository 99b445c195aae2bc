package secretstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

// The types of secret stores.
const (
	TypeFile = "secretstores.local.file"
	TypeEnv  = "secretstores.local.env"
)

// Types lists the types that New knows.
func Types() []string { return []string{TypeFile, TypeEnv} }

// ErrNotFound is what Get's error is when a store has no secret of that name.
var ErrNotFound = errors.New("no such secret")

// Store is a secret store. Safe for concurrent use.
type Store interface {
	// Get returns the key-value pairs of the secret called name: one pair, whose
	// key is the name, for a secret that is a single value. The map belongs to
	// the caller. A missing secret is ErrNotFound.
	Get(ctx context.Context, name string) (map[string]string, error)
	// Files are the files whose change may change a secret, for watching.
	Files() []string
	// Reload reads the files again. After an error the store goes on with what
	// it had. changed tells whether any secret differs from before.
	Reload() (changed bool, err error)
}

// Config is what a secret store is made from.
type Config struct {
	Type string       // as in the component file, any case
	Meta abi.Metadata // resolved
	Dir  string       // folder of the component file
	// Warn gets one line about something to put right, such as a file that others
	// can read; nil = nobody wants to know.
	Warn func(text string)
	// Lookup reads an environment variable, as os.LookupEnv does; nil finds nothing.
	Lookup func(name string) (string, bool)
}

// New makes the secret store of a component and reads it for the first time.
func New(cfg Config) (Store, error) {
	if cfg.Warn == nil {
		cfg.Warn = func(string) {}
	}
	if cfg.Lookup == nil {
		cfg.Lookup = func(string) (string, bool) { return "", false }
	}
	switch strings.ToLower(cfg.Type) {
	case TypeFile:
		return newFileStore(cfg)
	case TypeEnv:
		return newEnvStore(cfg), nil
	}
	return nil, fmt.Errorf("unknown secret store type %q, known are %s", cfg.Type, strings.Join(Types(), " and "))
}

// Properties describes the metadata of a type; nil for a type that New does not know.
func Properties(typ string) []abi.Property {
	switch strings.ToLower(typ) {
	case TypeFile:
		return []abi.Property{
			{Name: "secretsFile", Type: abi.TypeString, Required: true, Doc: "Path of the JSON file with the secrets; a relative path is looked up beside the component file first, then in the working directory."},
			{Name: "nestedSeparator", Type: abi.TypeString, Default: ":", Doc: "Joins the names of nested values to one name."},
			{Name: "multiValued", Type: abi.TypeBool, Default: "false", Doc: "Makes every top-level entry one secret with many keys, instead of every value one secret."},
		}
	case TypeEnv:
		return []abi.Property{
			{Name: "prefix", Type: abi.TypeString, Doc: "Put before the name of a secret to get the name of the variable."},
		}
	}
	return nil
}
