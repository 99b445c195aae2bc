package text

import (
	"math"
	"strconv"
	"strings"
)

// ParseSize reads a number of bytes: "1024", "64KiB", "32 MiB", "4Mi", "1GB".
// Units do not regard case: B; K, M, G and T with or without B are powers of
// ten, with an i (Ki, KiB) powers of two. It is not ok for anything else: signs,
// fractions, empty text, and sizes above the largest int64.
func ParseSize(s string) (n int64, ok bool) {
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	unit := strings.TrimSuffix(strings.ToLower(strings.Trim(s[digits:], " ")), "b")
	if err != nil || len(s)-digits > 8 {
		return 0, false
	}
	base := int64(1000)
	if short, binary := strings.CutSuffix(unit, "i"); binary && short != "" {
		unit, base = short, 1024
	}
	power := 0
	if unit != "" {
		if power = 1 + strings.Index("kmgt", unit); power == 0 || len(unit) > 1 {
			return 0, false
		}
	}
	for range power {
		if n > math.MaxInt64/base {
			return 0, false
		}
		n *= base
	}
	return n, true
}

// FormatSize writes a number of bytes for people, in powers of two: "512 B",
// "64 KiB", "1 MiB", "12.5 MiB". A unit is used from ten of it on, or if the
// number is a multiple of it. ParseSize reads what has no fraction.
func FormatSize(n int64) string {
	units := [...]string{"B", "KiB", "MiB", "GiB"}
	for i := len(units) - 1; i > 0; i-- {
		one := int64(1) << (10 * i)
		if n > 0 && n%one == 0 {
			return strconv.FormatInt(n/one, 10) + " " + units[i]
		}
		if n >= 10*one {
			return strings.TrimSuffix(strconv.FormatFloat(float64(n)/float64(one), 'f', 1, 64), ".0") + " " + units[i]
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}
