package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// digest identifies what a component says: where it says it, comments, layout
// and the order of metadata items and scopes do not count.
func digest(c *Component) string {
	v := *c
	v.Pos, v.Digest = Pos{}, ""
	v.Items = slices.Clone(c.Items)
	for i := range v.Items {
		v.Items[i].Pos = Pos{}
		v.Items[i].JSON = nil // equal to Text
	}
	slices.SortFunc(v.Items, func(a, b Item) int { return strings.Compare(a.Name, b.Name) })
	v.Scopes = slices.Sorted(slices.Values(c.Scopes))
	if s := c.Runtime.Sandbox; s != nil {
		placeless := *s
		placeless.Pos = Pos{}
		v.Runtime.Sandbox = &placeless
	}
	text, _ := json.Marshal(v) // cannot fail: texts, numbers, lists and maps of them
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
