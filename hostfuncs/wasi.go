package hostfuncs

import (
	"fmt"
	"time"
	"unicode/utf16"

	"github.com/tetratelabs/wazero/api"
)

// The numbers of WASI preview 1 that are used here.
const (
	wasiSuccess = 0
	wasiBadf    = 8
	wasiFault   = 21
	wasiInval   = 28
	wasiNosys   = 52
)

// ExitError ends a guest that called proc_exit or abort.
type ExitError struct {
	Code uint32
	Msg  string // abort's message, sanitised; may be empty
}

// Error says how the guest ended itself.
func (e *ExitError) Error() string {
	if e.Msg != "" {
		return "the guest aborted: " + e.Msg
	}
	return fmt.Sprintf("the guest ended itself with exit code %d", e.Code)
}

type wasiBody func(s *State, mem api.Memory, st []uint64) uint64

// wasiFunctions is the part of WASI preview 1 that toolchains need to start
// and to print: no files, no sockets, no environment. Everything else answers
// ENOSYS, so that a module which imports it links.
func wasiFunctions() []function {
	empty := func(_ *State, mem api.Memory, st []uint64) uint64 { // *_sizes_get: two zeros
		return both(put(mem, st[0], 0, 4), put(mem, st[1], 0, 4))
	}
	nothing := func(*State, api.Memory, []uint64) uint64 { return wasiSuccess }
	badf := func(*State, api.Memory, []uint64) uint64 { return wasiBadf }
	list := []struct {
		name   string
		params string // i = i32, l = i64
		body   wasiBody
	}{
		{"args_get", "ii", nothing}, {"args_sizes_get", "ii", empty},
		{"environ_get", "ii", nothing}, {"environ_sizes_get", "ii", empty},
		{"clock_res_get", "ii", clockRes}, {"clock_time_get", "ili", clockTime},
		{"fd_write", "iiii", fdWrite}, {"fd_close", "i", badf}, {"fd_fdstat_get", "ii", fdstat},
		{"fd_prestat_get", "ii", badf}, {"fd_prestat_dir_name", "iii", badf},
		{"poll_oneoff", "iiii", pollOneoff}, {"random_get", "ii", randomGet}, {"sched_yield", "", nothing},
		{"fd_advise", "illi", nil}, {"fd_allocate", "ill", nil}, {"fd_datasync", "i", nil},
		{"fd_fdstat_set_flags", "ii", nil}, {"fd_fdstat_set_rights", "ill", nil}, {"fd_filestat_get", "ii", nil},
		{"fd_filestat_set_size", "il", nil}, {"fd_filestat_set_times", "illi", nil}, {"fd_pread", "iiili", nil},
		{"fd_pwrite", "iiili", nil}, {"fd_read", "iiii", badf}, {"fd_readdir", "iiili", nil}, {"fd_renumber", "ii", nil},
		{"fd_seek", "ilii", badf}, {"fd_sync", "i", nil}, {"fd_tell", "ii", nil},
		{"path_create_directory", "iii", nil}, {"path_filestat_get", "iiiii", nil}, {"path_filestat_set_times", "iiiilli", nil},
		{"path_link", "iiiiiii", nil}, {"path_open", "iiiiillii", nil}, {"path_readlink", "iiiiii", nil},
		{"path_remove_directory", "iii", nil}, {"path_rename", "iiiiii", nil}, {"path_symlink", "iiiii", nil}, {"path_unlink_file", "iii", nil},
		{"proc_raise", "i", nil}, {"sock_accept", "iii", nil}, {"sock_recv", "iiiiii", nil}, {"sock_send", "iiiii", nil}, {"sock_shutdown", "ii", nil},
	}
	out := make([]function, 0, len(list)+1)
	for _, f := range list {
		params := make([]api.ValueType, len(f.params))
		for i, c := range f.params {
			params[i] = i32
			if c == 'l' {
				params[i] = i64
			}
		}
		body := f.body
		out = append(out, function{f.name, params, []api.ValueType{i32}, func(s *State, mem api.Memory, st []uint64) {
			if body == nil {
				st[0] = wasiNosys
				return
			}
			st[0] = body(s, mem, st)
		}})
	}
	return append(out, function{"proc_exit", []api.ValueType{i32}, nil, func(_ *State, _ api.Memory, st []uint64) {
		panic(&ExitError{Code: uint32(st[0])})
	}})
}

// put writes a little-endian number of n bytes.
func put(mem api.Memory, ptr, v uint64, n int) uint64 {
	b, ok := view(mem, ptr, uint64(n))
	if !ok {
		return wasiFault
	}
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	return wasiSuccess
}

func both(a, b uint64) uint64 { return max(a, b) }

func get32(b []byte) uint64 {
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24
}

func get64(b []byte) uint64 { return get32(b) | get32(b[4:])<<32 }

func clockRes(s *State, mem api.Memory, st []uint64) uint64 {
	return put(mem, st[1], uint64(s.host.cfg.ClockResolution), 8)
}

func clockTime(s *State, mem api.Memory, st []uint64) uint64 {
	switch uint32(st[0]) {
	case 0:
		return put(mem, st[2], uint64(s.host.now()), 8)
	case 1:
		return put(mem, st[2], uint64(s.host.monotonic()), 8)
	}
	return wasiInval
}

func randomGet(s *State, mem api.Memory, st []uint64) uint64 {
	if s.random(mem, st[0], st[1]) != 0 {
		return wasiFault
	}
	return wasiSuccess
}

// fdstat answers for the standard streams: a character device that can be
// written.
func fdstat(_ *State, mem api.Memory, st []uint64) uint64 {
	if uint32(st[0]) > 2 {
		return wasiBadf
	}
	b, ok := view(mem, st[1], 24)
	if !ok {
		return wasiFault
	}
	clear(b)
	b[0] = 2
	return wasiSuccess
}

// fdWrite turns what a guest prints on 1 and 2 into log lines.
//
//	iovs: count times { u32 ptr, u32 len }
func fdWrite(s *State, mem api.Memory, st []uint64) uint64 {
	fd := uint32(st[0])
	if fd != 1 && fd != 2 {
		return wasiBadf
	}
	count := uint64(uint32(st[2]))
	if count > 1024 {
		return wasiInval
	}
	iovs, ok := view(mem, st[1], count*8)
	if !ok {
		return wasiFault
	}
	var written uint64
	for i := range count {
		b, ok := view(mem, get32(iovs[i*8:]), get32(iovs[i*8+4:]))
		if !ok {
			return wasiFault
		}
		s.moved(len(b))
		written += uint64(len(b))
		s.print(fd, b)
	}
	return put(mem, st[3], written, 4)
}

// print collects output into lines; what is longer than a line is cut.
func (s *State) print(fd uint32, b []byte) {
	level := LevelInfo
	if fd == 2 {
		level = LevelError
	}
	line := &s.out[fd-1]
	for _, c := range b {
		if c != '\n' {
			if len(*line) <= maxLine {
				*line = append(*line, c)
			}
			continue
		}
		if len(*line) > 0 && s.host.logs(level) {
			s.host.line(level, *line)
		}
		*line = (*line)[:0]
	}
}

// pollOneoff knows clocks only: it sleeps, at most until the deadline.
//
//	subscription, 48 bytes: 0 u64 userdata, 8 u8 tag (0 = clock), 16 u32 clock id,
//	24 u64 timeout, 32 u64 precision, 40 u16 flags (1 = absolute)
//	event, 32 bytes: 0 u64 userdata, 8 u16 errno, 10 u8 type
func pollOneoff(s *State, mem api.Memory, st []uint64) uint64 {
	n := uint64(uint32(st[2]))
	if n == 0 || n > 64 {
		return wasiInval
	}
	in, ok1 := view(mem, st[0], n*48)
	out, ok2 := view(mem, st[1], n*32)
	if !ok1 || !ok2 {
		return wasiFault
	}
	shortest := time.Duration(1<<63 - 1)
	for i := range n {
		sub := in[i*48:]
		if sub[8] != 0 {
			return wasiNosys
		}
		wait := int64(get64(sub[24:]))
		if sub[40]&1 != 0 {
			now := s.host.now()
			if get32(sub[16:]) == 1 {
				now = s.host.monotonic()
			}
			wait -= now
		}
		shortest = min(shortest, time.Duration(max(wait, 0)))
	}
	s.sleep(shortest)
	for i := range n {
		ev := out[i*32 : i*32+32]
		copy(ev[:8], in[i*48:i*48+8])
		clear(ev[8:])
	}
	return put(mem, st[3], n, 4)
}

// sleep waits for d, at most until the operation's deadline or its context's end.
func (s *State) sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	ctx, cancel := s.bounded()
	defer cancel()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		panic(ctx.Err()) // the engine makes it the deadline or the caller's error
	}
}

// envFunctions: abort(message, file, line, column) of AssemblyScript; strings
// are UTF-16 with their length in bytes before them.
func envFunctions() []function {
	return []function{{"abort", []api.ValueType{i32, i32, i32, i32}, nil, func(_ *State, mem api.Memory, st []uint64) {
		msg := asString(mem, st[0])
		if file := asString(mem, st[1]); file != "" {
			msg += fmt.Sprintf(" (%s:%d:%d)", file, uint32(st[2]), uint32(st[3]))
		}
		panic(&ExitError{Code: 255, Msg: msg})
	}}}
}

func asString(mem api.Memory, ptr uint64) string {
	if uint32(ptr) < 4 {
		return ""
	}
	head, ok := view(mem, uint64(uint32(ptr)-4), 4)
	if !ok {
		return ""
	}
	b, ok := view(mem, ptr, min(get32(head), 512)&^1)
	if !ok {
		return ""
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
	}
	return sanitise([]byte(string(utf16.Decode(units))), 256)
}
