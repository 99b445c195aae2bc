package secretstore

import (
	"context"
	"fmt"
	"strings"
)

// envStore reads the process's environment, which never changes.
type envStore struct {
	prefix string
	lookup func(string) (string, bool)
}

func newEnvStore(cfg Config) *envStore {
	return &envStore{prefix: cfg.Meta.String("", "prefix"), lookup: cfg.Lookup}
}

func (s *envStore) Get(_ context.Context, name string) (map[string]string, error) {
	variable := s.prefix + name
	if forbidden(variable) {
		return nil, fmt.Errorf("the environment variable %s belongs to the runtime and is not given out: %w", variable, ErrNotFound)
	}
	value, ok := s.lookup(variable)
	if !ok || name == "" {
		return nil, fmt.Errorf("the environment variable %q is not set: %w", variable, ErrNotFound)
	}
	return map[string]string{name: value}, nil
}

func (s *envStore) Files() []string { return nil }

func (s *envStore) Reload() (bool, error) { return false, nil }

// forbidden names the variables that hold the runtime's own credentials.
func forbidden(variable string) bool {
	upper := strings.ToUpper(variable)
	return upper == "APP_API_TOKEN" || upper == "WASMSTATE_API_TOKEN" || strings.HasPrefix(upper, "DAPR_")
}
