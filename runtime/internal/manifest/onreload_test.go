package manifest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnReload(t *testing.T) {
	for text, want := range map[string]string{"": "", "keep": "", "Discard": "", "drop": "onReload \"drop\" is not keep or discard"} {
		d := &document{}
		c := &Component{Type: "state.in-memory"}
		d.splitRuntime(c, []Item{{Name: "onReload", Text: text}})
		require.Equal(t, text == "Discard", c.Runtime.DiscardOnReload, text)
		require.Empty(t, c.Items)
		if want == "" {
			require.Empty(t, d.problems)
			continue
		}
		require.Contains(t, d.problems[0].Msg, want)
	}
}
