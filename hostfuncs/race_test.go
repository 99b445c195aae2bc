//go:build race

package hostfuncs

const raceEnabled = true
