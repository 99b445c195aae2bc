package manifest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wasmstate/wasmstate/runtime/internal/manifest"
)

// vault is a secret store.
type vault map[string]map[string]string

func (v vault) Get(_ context.Context, name string) (map[string]string, error) {
	if s, ok := v[name]; ok {
		return s, nil
	}
	return nil, errors.New("no such secret")
}

// resolver answers from env and, for the store "vault", from secrets.
func resolver(env map[string]string, secrets vault) *manifest.Resolver {
	return manifest.NewResolver(manifest.Environment{
		AppID:     "app",
		Namespace: "prod",
		Lookup:    func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		SecretStore: func(name string) manifest.SecretStore {
			if name == "vault" && secrets != nil {
				return secrets
			}
			return nil
		},
	})
}

func TestResolve(t *testing.T) {
	c := load1(t, doc("a", "state.x", "  metadata:",
		"  - {name: plain, value: 1}",
		"  - {name: templates, value: '{appID}/{namespace}/{podName}/{other}'}",
		"  - {name: uuids, value: '{uuid}{uuid}'}",
		"  - {name: map, value: {id: '{appID}'}}",
		"  - {name: fromEnv, envRef: HOME_TOWN}",
		"  - {name: password, secretKeyRef: {name: redis, key: pass}}",
		"  - {name: user, secretKeyRef: {name: user}}",
		"  - {name: absent}",
		"auth: {secretStore: vault}"))
	env := map[string]string{"POD_NAME": "pod-0", "HOME_TOWN": "{appID}ville"}
	r := resolver(env, vault{"redis": {"pass": "p{appID}ss"}, "user": {"user": "bob"}})
	got, err := r.Resolve(t.Context(), c)
	require.NoError(t, err)
	p := got.Properties
	assert.Equal(t, "1", p["plain"])
	assert.Equal(t, "app/prod.app/pod-0/{other}", p["templates"])
	assert.Regexp(t, `^([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}){2}$`, p["uuids"])
	assert.NotEqual(t, p["uuids"][:36], p["uuids"][36:])
	assert.Equal(t, `{"id":"app"}`, p["map"])
	assert.Equal(t, "appville", p["fromEnv"])
	assert.Equal(t, "p{appID}ss", p["password"], "secrets are not templates")
	assert.Equal(t, "bob", p["user"])
	assert.Contains(t, p, "absent")
	assert.Equal(t, []string{"p{appID}ss"}, got.Secrets(), "short secrets stay")
	require.Len(t, got.Items, len(c.Items))
	assert.Empty(t, c.Items[5].Text, "the component is not changed")
	assert.False(t, c.Items[0].Resolved)
}

func TestResolveErrors(t *testing.T) {
	one := func(item string) *manifest.Component {
		return load1(t, doc("a", "state.x", "  metadata:", "  - "+item, "auth: {secretStore: vault}"))
	}
	for name, tc := range map[string]struct {
		item    string
		env     map[string]string
		secrets vault
		want    string
	}{
		"no store":      {item: "{name: p, secretKeyRef: {name: s}}", want: `waiting for the secret store "vault"`},
		"no secret":     {item: "{name: p, secretKeyRef: {name: s}}", secrets: vault{}, want: `a.yaml:8:29: component "a": p: secret "s" cannot be read from "vault": no such secret`},
		"no key":        {item: "{name: p, secretKeyRef: {name: s, key: k}}", secrets: vault{"s": {"other": "hunter2", "more": "x"}}, want: `p: secret "s" in "vault" has no key "k"; it has more or other`},
		"no variable":   {item: "{name: p, envRef: X}", want: "a.yaml:8:23: component \"a\": p: the environment variable X is not set"},
		"not listed":    {item: "{name: p, envRef: X}", env: map[string]string{"X": "1", "DAPR_ENV_KEYS": "Y Z"}, want: "not listed in DAPR_ENV_KEYS"},
		"no pod":        {item: "{name: p, value: '{podName}'}", want: "needs the environment variable POD_NAME"},
		"empty pod":     {item: "{name: p, value: '{podName}'}", env: map[string]string{"POD_NAME": ""}, want: "POD_NAME"},
		"listed, unset": {item: "{name: p, envRef: X}", env: map[string]string{"DAPR_ENV_KEYS": "X"}, want: "X is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := resolver(tc.env, tc.secrets).Resolve(t.Context(), one(tc.item))
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
	_, err := resolver(nil, nil).Resolve(t.Context(), one("{name: p, secretKeyRef: {name: s}}"))
	var waiting *manifest.WaitingError
	require.ErrorAs(t, err, &waiting)
	assert.Equal(t, "vault", waiting.SecretStore)
	assert.Equal(t, "vault", waiting.Waiting())

	got, err := resolver(map[string]string{"X": "1", "DAPR_ENV_KEYS": "W X"}, nil).Resolve(t.Context(), one("{name: p, envRef: X}"))
	require.NoError(t, err)
	assert.Equal(t, "1", got.Properties["p"])
}

func TestResolverDigest(t *testing.T) {
	plain := load1(t, doc("a", "state.x", "  metadata:", "  - {name: id, value: '{uuid}'}"))
	r := resolver(nil, nil)
	assert.Equal(t, plain.Digest, r.Digest(t.Context(), plain))

	secrets, env := vault{"s": {"s": "one"}, "g": {"g": "granted"}}, map[string]string{"X": "1"}
	r = resolver(env, secrets)
	c := load1(t, doc("a", "state.x", "  metadata:", "  - {name: p, secretKeyRef: {name: s}}", "  - {name: e, envRef: X}",
		"  - {name: sandbox, value: {secrets: {key: g}}}", "auth: {secretStore: vault}"))
	first := r.Digest(t.Context(), c)
	assert.Equal(t, first, r.Digest(t.Context(), c))
	assert.NotEqual(t, first, resolver(env, secrets).Digest(t.Context(), c), "not comparable between processes")
	seen := map[string]bool{first: true}
	for _, change := range []func(){
		func() { secrets["s"]["s"] = "two" },
		func() { secrets["g"]["g"] = "other" },
		func() { env["X"] = "2" },
		func() { delete(env, "X") },
		func() { delete(secrets, "s") },
	} {
		change()
		d := r.Digest(t.Context(), c)
		assert.False(t, seen[d])
		seen[d] = true
	}
}

func TestSandboxSecret(t *testing.T) {
	c := load1(t, doc("a", "state.x", "  metadata:", "  - {name: sandbox, value: {secrets: {key: {name: bank, key: k}}}}", "auth: {secretStore: vault}"))
	r := resolver(nil, vault{"bank": {"k": "v", "other": "w"}})
	got, err := r.Secret(t.Context(), c, "key")
	require.NoError(t, err)
	assert.Equal(t, "v", got)
	_, err = r.Secret(t.Context(), c, "bank")
	require.ErrorContains(t, err, "not granted")
}
