package text

import "strings"

// maxNearest bounds the length of names that Nearest compares, in characters,
// so that a hostile name costs little.
const maxNearest = 64

// Nearest returns the one of known that name is most likely a misspelling of,
// or "" if none is close: at most one change of a character for each three of
// name, and at least one. Case does not count, a swap of neighbours is one
// change, and among equals the first wins. Names of more than 64 characters are
// never close.
func Nearest[S ~string](name string, known []S) S {
	var best S
	a := []rune(strings.ToLower(name))
	if len(a) == 0 || len(a) > maxNearest {
		return best
	}
	distance := 1 + max(1, len(a)/3)
	for _, k := range known {
		b := []rune(strings.ToLower(string(k)))
		if len(b) == 0 || len(b) > maxNearest || len(b)-len(a) >= distance || len(a)-len(b) >= distance {
			continue
		}
		if d := editDistance(a, b); d < distance && d < max(len(a), len(b)) {
			best, distance = k, d
		}
	}
	return best
}

// editDistance counts insertions, deletions, substitutions and swaps of
// neighbours that turn a into b.
func editDistance(a, b []rune) int {
	var rows [3][maxNearest + 1]int
	before, prev, cur := &rows[0], &rows[1], &rows[2]
	for j := range b {
		prev[j+1] = j + 1
	}
	for i := range a {
		cur[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(prev[j+1]+1, cur[j]+1, prev[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			cur[j+1] = d
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
