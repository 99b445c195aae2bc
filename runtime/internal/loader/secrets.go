package loader

import (
	"context"
	"errors"
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
func (l *Loader) secretStore(name string) manifest.SecretStore {
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
func (l *Loader) loadSecretStores(ctx context.Context, r *reading, p *Plan) {
	todo := map[string]*manifest.Component{}
	for _, c := range r.secrets {
		todo[c.Name] = c
	}
	l.mu.Lock()
	for name, e := range l.secrets {
		if todo[name] != nil || r.Keeps(name, e.file) {
			continue
		}
		if _, stays := l.graces.leaving("secret store " + name); !stays || r.Emptied(e.file) {
			delete(l.secrets, name)
			p.SecretsChanged = true
		}
	}
	l.mu.Unlock()
	for progress := true; progress && len(todo) > 0; {
		progress = false
		for name, c := range todo {
			err := l.loadSecretStore(ctx, c, p)
			if w := (*manifest.WaitingError)(nil); errors.As(err, &w) && todo[w.SecretStore] != nil && w.SecretStore != name {
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
			r.also(f)
		}
	}
}

func (l *Loader) loadSecretStore(ctx context.Context, c *manifest.Component, p *Plan) error {
	digest := l.resolver.Digest(ctx, c)
	l.mu.Lock()
	have := l.secrets[c.Name]
	l.mu.Unlock()
	if have != nil && have.digest == digest {
		changed, err := manifest.Await(&l.cache.Patience, "secrets "+c.Name, have.store.Reload)
		p.SecretsChanged = p.SecretsChanged || changed
		return err
	}
	if err := checkSecretStore(c); err != nil {
		return err
	}
	if err := problemsOf(c, checkSecretItems(c, c.Items)); err != nil {
		return err
	}
	res, err := l.resolver.Resolve(ctx, c)
	if err != nil {
		return err
	}
	if err := problemsOf(c, checkSecretItems(c, res.Items)); err != nil {
		return err
	}
	store, err := manifest.Await(&l.cache.Patience, "secrets "+c.Name+" "+digest, func() (secretstore.Store, error) {
		return secretstore.New(secretstore.Config{
			Type: c.Type, Meta: abi.Metadata{Name: c.Name, Properties: res.Properties}, Dir: filepath.Dir(c.Pos.File), Lookup: l.cfg.Lookup,
			Warn: func(text string) {
				l.log.Warn("secret store", zap.String("component", c.Name), zap.String("note", text))
			},
		})
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.secrets[c.Name] = &secretEntry{digest: digest, file: c.Pos.File, store: store}
	l.mu.Unlock()
	p.SecretsChanged = true
	return nil
}

// checkSecretStore refuses a type of secret store that there is not.
func checkSecretStore(c *manifest.Component) *manifest.Problem {
	if secretstore.Properties(c.Type) != nil {
		return nil
	}
	near := text.Nearest(strings.ToLower(c.Type), secretstore.Types())
	if near == "" {
		near = strings.Join(secretstore.Types(), " or ")
	}
	p := c.Problem("couldn't find secret store %s; did you mean %s?", text.Clip(c.Type, maxShown), near)
	return &p
}

// checkSecretItems finds what is wrong with the properties of a secret store.
func checkSecretItems(c *manifest.Component, items []manifest.Item) []manifest.Problem {
	return manifest.CheckProperties(secretstore.Properties(c.Type), items)
}
