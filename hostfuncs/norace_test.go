//go:build !race

package hostfuncs

const raceEnabled = false
