package manifest

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wasmstate/wasmstate/internal/text"
)

// SecretStore answers with the key-value pairs of one secret.
type SecretStore interface {
	Get(ctx context.Context, name string) (map[string]string, error)
}

// WaitingError says that a component's secret store is not loaded (yet).
type WaitingError struct{ SecretStore string }

func (e *WaitingError) Error() string {
	return fmt.Sprintf("waiting for the secret store %q, which is not loaded", e.SecretStore)
}

// Waiting names the secret store; it marks the error as a reason to wait rather
// than a fault.
func (e *WaitingError) Waiting() string { return e.SecretStore }

// Environment is what a Resolver takes values from.
type Environment struct {
	AppID     string
	Namespace string // NAMESPACE; empty = none
	// Lookup reads an environment variable, as os.LookupEnv does.
	Lookup func(name string) (string, bool)
	// SecretStore returns the secret store of that name; nil if it is not loaded.
	SecretStore func(name string) SecretStore
}

// Resolver turns the items of components into final values. Safe for
// concurrent use if the functions of its environment are.
type Resolver struct {
	env  Environment
	salt [16]byte
}

// NewResolver returns a resolver. Nil functions in env find nothing.
func NewResolver(env Environment) *Resolver {
	if env.Lookup == nil {
		env.Lookup = func(string) (string, bool) { return "", false }
	}
	if env.SecretStore == nil {
		env.SecretStore = func(string) SecretStore { return nil }
	}
	r := &Resolver{env: env}
	rand.Read(r.salt[:]) // never fails
	return r
}

// Resolved are the final values of a component's items.
type Resolved struct {
	// Properties by item name, for abi.Metadata. Belongs to the caller.
	Properties map[string]string
	// Items are the component's with Text final, for another round of
	// CheckProperties or CheckSchema.
	Items []Item

	secrets []string
}

// Secrets are the secret values of the component that are long enough to be
// masked, for [text.NewRedactor]; longest first. They must not be changed.
func (r *Resolved) Secrets() []string { return r.secrets }

// Resolve reads the secrets and environment variables that c refers to and
// fills in the templates {uuid}, {podName}, {namespace} and {appID} in all
// values except secrets. A missing secret store is a *[WaitingError]; a missing
// secret, key or variable is a *[Problem] at its item. No error contains the
// value of a secret. {uuid} differs at each call.
func (r *Resolver) Resolve(ctx context.Context, c *Component) (*Resolved, error) {
	out := &Resolved{Properties: make(map[string]string, len(c.Items)), Items: slices.Clone(c.Items)}
	for i := range out.Items {
		it := &out.Items[i]
		switch {
		case it.Secret != nil:
			value, err := r.secret(ctx, c, it.Secret, it.Pos, it.Name)
			if err != nil {
				return nil, err
			}
			it.Text = value
			if len(value) >= text.MinSecret {
				out.secrets = append(out.secrets, value)
			}
		default:
			value := it.Text
			if it.Env != "" {
				found, ok := r.lookup(it.Env)
				if !ok {
					return nil, itemError(c, it.Pos, "%s: the environment variable %s is not set or not listed in DAPR_ENV_KEYS", it.Name, it.Env)
				}
				value = found
			}
			value, err := r.Expand(value)
			if err != nil {
				return nil, itemError(c, it.Pos, "%s: %v", it.Name, err)
			}
			if it.JSON != nil {
				it.JSON = []byte(value)
			}
			it.Text = value
		}
		it.Resolved = true
		out.Properties[it.Name] = it.Text
	}
	// Longest first, so that a secret within another does not spoil it.
	slices.SortFunc(out.secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return out, nil
}

// Secret reads the secret that the sandbox of c binds to name.
func (r *Resolver) Secret(ctx context.Context, c *Component, name string) (string, error) {
	if c.Runtime.Sandbox != nil {
		if ref, ok := c.Runtime.Sandbox.Secrets[name]; ok {
			return r.secret(ctx, c, &ref, c.Runtime.Sandbox.Pos, "sandbox.secrets."+name)
		}
	}
	return "", itemError(c, c.Pos, "the secret %s is not granted in sandbox.secrets", quote(name))
}

func (r *Resolver) secret(ctx context.Context, c *Component, ref *SecretRef, at Pos, what string) (string, error) {
	store := r.env.SecretStore(c.SecretStore)
	if store == nil {
		return "", &WaitingError{SecretStore: c.SecretStore}
	}
	values, err := store.Get(ctx, ref.Name)
	if err != nil {
		return "", fmt.Errorf("%w: %w", itemError(c, at, "%s: secret %s cannot be read from %s", what, quote(ref.Name), quote(c.SecretStore)), err)
	}
	value, ok := values[ref.Key]
	if !ok {
		keys := slices.Sorted(maps.Keys(values))
		return "", itemError(c, at, "%s: secret %s in %s has no key %s; it has %s", what, quote(ref.Name), quote(c.SecretStore), quote(ref.Key), list(keys))
	}
	return value, nil
}

// lookup reads an environment variable that components may see. DAPR_ENV_KEYS,
// if set, lists the only ones.
func (r *Resolver) lookup(name string) (string, bool) {
	if allowed, ok := r.env.Lookup("DAPR_ENV_KEYS"); ok && strings.TrimSpace(allowed) != "" && !slices.Contains(strings.Fields(allowed), name) {
		return "", false
	}
	if deniedEnv(name) != "" {
		return "", false
	}
	return r.env.Lookup(name)
}

// Expand fills in the templates in text.
func (r *Resolver) Expand(text string) (string, error) {
	if !strings.Contains(text, "{") {
		return text, nil
	}
	if strings.Contains(text, "{podName}") {
		pod, ok := r.env.Lookup("POD_NAME")
		if !ok || pod == "" {
			return "", fmt.Errorf("the template {podName} needs the environment variable POD_NAME, which is not set")
		}
		text = strings.ReplaceAll(text, "{podName}", pod)
	}
	namespaced := r.env.AppID
	if r.env.Namespace != "" {
		namespaced = r.env.Namespace + "." + r.env.AppID
	}
	text = strings.ReplaceAll(text, "{namespace}", namespaced)
	text = strings.ReplaceAll(text, "{appID}", r.env.AppID)
	for strings.Contains(text, "{uuid}") {
		text = strings.Replace(text, "{uuid}", newUUID(), 1)
	}
	return text, nil
}

// Digest identifies what c says together with the present values of the
// secrets and environment variables that it refers to: when it changes, the
// component must be made anew. Values that cannot be read count as absent. It
// is comparable within one process only, so that it gives no hold for guessing
// secrets, unless c refers to none: then it is c.Digest.
func (r *Resolver) Digest(ctx context.Context, c *Component) string {
	h := hmac.New(sha256.New, r.salt[:])
	fmt.Fprintf(h, "%s\n", c.Digest)
	plain := true
	add := func(value string, ok bool) {
		plain = false
		fmt.Fprintf(h, "%t %d %s\n", ok, len(value), value)
	}
	for i := range c.Items {
		switch it := &c.Items[i]; {
		case it.Secret != nil:
			value, err := r.secret(ctx, c, it.Secret, it.Pos, it.Name)
			add(value, err == nil)
		case it.Env != "":
			add(r.lookup(it.Env))
		}
	}
	if s := c.Runtime.Sandbox; s != nil {
		for _, name := range slices.Sorted(maps.Keys(s.Secrets)) {
			ref := s.Secrets[name]
			value, err := r.secret(ctx, c, &ref, s.Pos, name)
			add(value, err == nil)
		}
	}
	if plain {
		return c.Digest
	}
	return hex.EncodeToString(h.Sum(nil))
}

func itemError(c *Component, at Pos, format string, args ...any) error {
	return &Problem{Pos: at, Component: c.Name, Msg: fmt.Sprintf(format, args...)}
}

// newUUID returns a random (version 4) UUID.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
