package manifest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedact(t *testing.T) {
	for _, tc := range []struct {
		text    string
		secrets []string
		want    string
	}{
		{"log in as abcdefgh", []string{"abcd", "abcdefgh"}, "log in as ***"},
		{"nothing is secret", []string{"", "", "x"}, "nothing is secret"},
		{"hunter2 hunter2", []string{"hunter2"}, "*** ***"},
		{"fine", nil, "fine"},
	} {
		require.Equal(t, tc.want, Redact(tc.text, tc.secrets))
	}
}
