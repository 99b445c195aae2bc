package runtime

import (
	"context"
	"path/filepath"
	"strings"

	"go.uber.org/zap"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/internal/text"
	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
	"github.com/wasmstate/wasmstate/runtime/internal/secretstore"
)

// secretEntry is a secret store that is loaded.
type secretEntry struct {
	digest string
	file   string // of its document
	store  secretstore.Store
}

// secretStore returns a loaded secret store, or nil.
func (l *loader) secretStore(name string) manifest.SecretStore {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.secrets[name]; e != nil {
		return e.store
	}
	return nil // an interface that is nil, not a nil entry in one
}

// loadSecretStores makes the secret stores what the documents say. A store may
// take its own settings from another one, so that it goes round until nothing
// more can be loaded.
func (l *loader) loadSecretStores(ctx context.Context, res *manifest.Result, p *plan) {
	todo := map[string]*manifest.Component{}
	for i := range res.Components {
		if c := &res.Components[i]; c.Category() == "secretstores" {
			todo[c.Name] = c
		}
	}
	l.mu.Lock()
	for name, e := range l.secrets {
		if todo[name] == nil && !res.Keeps(name, e.file) {
			delete(l.secrets, name)
			p.secretsChanged = true
		}
	}
	l.mu.Unlock()
	for progress := true; progress && len(todo) > 0; {
		progress = false
		for name, c := range todo {
			err := l.loadSecretStore(ctx, c, p)
			if w := (*manifest.WaitingError)(nil); asWaiting(err, &w) && todo[w.SecretStore] != nil && w.SecretStore != name {
				continue // its own secret store may come in the next round
			}
			delete(todo, name)
			progress = true
			if err != nil {
				p.problems = append(p.problems, problemFrom(c, err))
			}
		}
	}
	for _, c := range todo {
		p.problems = append(p.problems, c.Problem("the secret stores wait for each other: %s", c.SecretStore))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.secrets {
		for _, f := range e.store.Files() {
			p.watchFile(f)
		}
	}
}

func (l *loader) loadSecretStore(ctx context.Context, c *manifest.Component, p *plan) error {
	digest := l.resolver.Digest(ctx, c)
	l.mu.Lock()
	have := l.secrets[c.Name]
	l.mu.Unlock()
	if have != nil && have.digest == digest {
		changed, err := have.store.Reload()
		p.secretsChanged = p.secretsChanged || changed
		return err
	}
	if secretProperties(c) == nil {
		return unknownSecretStore(c)
	}
	md, err := l.resolve(ctx, c, func(items []manifest.Item) []manifest.Problem {
		return manifest.CheckProperties(secretstore.Properties(c.Type), items)
	})
	if err != nil {
		return err
	}
	store, err := secretstore.New(secretstore.Config{
		Type: c.Type, Meta: md, Dir: filepath.Dir(c.Pos.File), Lookup: l.cfg.Lookup,
		Warn: func(text string) {
			l.log.Warn("secret store", zap.String("component", c.Name), zap.String("note", text))
		},
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.secrets[c.Name] = &secretEntry{digest: digest, file: c.Pos.File, store: store}
	l.mu.Unlock()
	p.secretsChanged = true
	return nil
}

// secretProperties describes the properties of a secret store; nil for an
// unknown type.
func secretProperties(c *manifest.Component) []abi.Property { return secretstore.Properties(c.Type) }

func unknownSecretStore(c *manifest.Component) manifest.Problem {
	near := text.Nearest(strings.ToLower(c.Type), secretstore.Types())
	if near == "" {
		near = strings.Join(secretstore.Types(), " or ")
	}
	return c.Problem("couldn't find secret store %s; did you mean %s?", c.Type, near)
}
