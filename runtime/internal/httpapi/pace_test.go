package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// drip gives n bytes, one every pause.
type drip struct {
	n     int
	pause time.Duration
}

func (d *drip) Read(p []byte) (int, error) {
	if d.n == 0 {
		return 0, io.EOF
	}
	time.Sleep(d.pause)
	d.n--
	p[0] = 'x'
	return 1, nil
}

// TestBodiesKeepPace, with a grace of any length.
func TestBodiesKeepPace(t *testing.T) {
	for _, grace := range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond, 5 * time.Second} {
		for pause, want := range map[time.Duration]error{time.Millisecond: nil, 20 * time.Millisecond: errTooSlow} {
			synctest.Test(t, func(t *testing.T) {
				from := time.Now()
				body := &pacedBody{body: &drip{2000, pause}, rc: http.NewResponseController(httptest.NewRecorder()), pace: Pace{Grace: grace, Rate: 100}}
				_, err := io.Copy(io.Discard, body)
				require.ErrorIs(t, err, want, "grace %s, a byte every %s", grace, pause)
				if want != nil {
					require.Less(t, time.Since(from), grace+50*time.Millisecond, "seen after the first stretch")
				}
			})
		}
	}
}
