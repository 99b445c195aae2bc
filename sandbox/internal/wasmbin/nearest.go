package wasmbin

import "strings"

// nearest returns the one of known that given is most likely a misspelling of,
// or "".
func nearest[S ~string](given string, known []S) S {
	var best S
	if len(given) > 64 {
		return best
	}
	given = strings.ToLower(given)
	distance := 1 + max(1, len(given)/3)
	for _, k := range known {
		if d := editDistance(given, strings.ToLower(string(k))); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance counts insertions, deletions and substitutions.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
