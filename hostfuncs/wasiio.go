package hostfuncs

import (
	"bytes"
	"time"

	"github.com/tetratelabs/wazero/api"
)

const (
	maxVectors       = 1024     // parts of one write
	maxPrint         = 64 << 10 // bytes of one write that are looked at for lines
	maxSubscriptions = 64
	subscriptionSize = 48
	eventSize        = 32
)

// outputLine collects what a guest writes to a descriptor until a line is
// complete. Once a part of a line is dropped so is the rest, because what comes
// after a gap could be the end of a secret that is not known by it.
type outputLine struct {
	text []byte
	full bool // nothing is taken before the next line
}

// wasiWrite is fd_write(fd, vectors, count, out): a vector is an address and a
// length. Everything is taken, so that no guest waits for a slow log.
func wasiWrite(s *State, m api.Memory, p []uint64) errno {
	fd := uint32(p[0])
	if fd != 1 && fd != 2 {
		return errnoBadf
	}
	count := uint64(uint32(p[2]))
	if count > maxVectors {
		return errnoInval
	}
	vectors, valid := view(m, p[1], 8*count)
	out, valid2 := view(m, p[3], 4)
	if !valid || !valid2 {
		return errnoFault
	}
	total, room := uint64(0), maxPrint
	for i := uint64(0); i < count; i++ {
		text, valid := view(m, uint64(le.Uint32(vectors[8*i:])), uint64(le.Uint32(vectors[8*i+4:])))
		if !valid {
			return errnoFault
		}
		if total += uint64(len(text)); total > 1<<31-1 {
			return errnoInval
		}
		seen := text[:min(len(text), room)]
		if !s.move(len(seen)) {
			seen = nil
		}
		s.print(fd, seen)
		if len(seen) < len(text) {
			s.output[fd-1].full = true
		}
		room -= len(seen)
	}
	le.PutUint32(out, uint32(total))
	return errnoSuccess
}

// print adds text to the line of a descriptor and logs the complete ones.
func (s *State) print(fd uint32, text []byte) {
	level := LevelInfo
	if fd == 2 {
		level = LevelError
	}
	if !s.host.logWanted(level) {
		return
	}
	line := &s.output[fd-1]
	for len(text) > 0 {
		part, rest, complete := bytes.Cut(text, []byte{'\n'})
		if !line.full {
			n := min(len(part), maxLogText-len(line.text))
			line.text = append(line.text, part[:n]...)
			line.full = n < len(part)
		}
		if text = rest; complete {
			if len(line.text) > 0 {
				s.host.logText(level, line.text)
			}
			line.text, line.full = line.text[:0], false
		}
	}
}

// flushOutput logs lines that were begun. If one ends within a secret, its rest
// is dropped when it comes: buffers of a guest are flushed at any place.
func (s *State) flushOutput() {
	for i := range s.output {
		line := &s.output[i]
		if len(line.text) == 0 {
			continue
		}
		inside := line.full || s.host.secrets.Load().EndsInside(string(line.text))
		s.print(uint32(i+1), []byte{'\n'})
		line.text, line.full = line.text[:0], inside
	}
}

// wasiRead is fd_read(fd, vectors, count, out): standard input is empty.
func wasiRead(_ *State, m api.Memory, p []uint64) errno {
	if uint32(p[0]) != 0 {
		return errnoBadf
	}
	out, valid := view(m, p[3], 4)
	if !valid {
		return errnoFault
	}
	le.PutUint32(out, 0)
	return errnoSuccess
}

// wasiPoll is poll_oneoff(subscriptions, events, count, out): it waits for the
// first of the clocks.
//
//	subscription   0 u64 user data   8 u8 kind (0 = clock)   16 u32 clock   24 u64 timeout   40 u16 flags (1 = absolute)
//	event          0 u64 user data   8 u16 error            10 u8 kind
func wasiPoll(s *State, m api.Memory, p []uint64) errno {
	count := uint64(uint32(p[2]))
	if count == 0 || count > maxSubscriptions {
		return errnoInval
	}
	subs, valid := view(m, p[0], count*subscriptionSize)
	events, valid2 := view(m, p[1], count*eventSize)
	out, valid3 := view(m, p[3], 4)
	if !valid || !valid2 || !valid3 {
		return errnoFault
	}
	var all [maxSubscriptions]pollSubscription
	now, mono := time.Now(), s.host.monotonic()
	wait := time.Duration(-1)
	for i := range all[:count] {
		sub := &all[i]
		sub.read(subs[uint64(i)*subscriptionSize:], uint64(now.UnixNano()), mono)
		if sub.err != errnoSuccess {
			wait = 0 // it has happened already
		} else if wait < 0 || sub.wait < wait {
			wait = sub.wait
		}
	}
	s.sleep(wait)
	passed := max(time.Since(now), wait)
	n := 0
	for i := range all[:count] {
		sub := &all[i]
		if sub.err == errnoSuccess && sub.wait > passed {
			continue
		}
		ev := events[n*eventSize:][:eventSize]
		clear(ev)
		le.PutUint64(ev, sub.userData)
		le.PutUint16(ev[8:], uint16(sub.err))
		ev[10] = sub.kind
		n++
	}
	le.PutUint32(out, uint32(n))
	return errnoSuccess
}

type pollSubscription struct {
	userData uint64
	kind     uint8
	err      errno
	wait     time.Duration
}

func (p *pollSubscription) read(sub []byte, now, mono uint64) {
	*p = pollSubscription{userData: le.Uint64(sub), kind: sub[8]}
	clock := le.Uint32(sub[16:])
	switch {
	case p.kind != 0:
		p.err = errnoNotsup
		return
	case clock != clockRealtime && clock != clockMono:
		p.err = errnoInval
		return
	}
	timeout := le.Uint64(sub[24:])
	if le.Uint16(sub[40:])&1 != 0 { // absolute
		base := now
		if clock == clockMono {
			base = mono
		}
		timeout -= min(timeout, base)
	}
	const most = uint64(1<<63 - 1)
	p.wait = time.Duration(min(timeout, most))
}

// sleep waits for d or until the operation is over.
func (s *State) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.op.Done():
	}
}
