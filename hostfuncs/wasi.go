package hostfuncs

import (
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/wasmstate/wasmstate/abi"
)

// errno is an error number of WASI preview 1.
type errno = uint64

const (
	errnoSuccess errno = 0
	errnoBadf    errno = 8
	errnoFault   errno = 21
	errnoInval   errno = 28
	errnoIO      errno = 29
	errnoNosys   errno = 52
	errnoNotsup  errno = 58
	errnoSpipe   errno = 70
)

// The clocks and event types of preview 1.
const (
	clockRealtime  = 0
	clockMono      = 1
	filetypeDevice = 2 // character device, what descriptors 0 to 2 claim to be
)

// wasiCall is a function of preview 1. It answers with an error number.
type wasiCall func(s *State, m api.Memory, p []uint64) errno

// wasiServed are the functions that do something.
func wasiServed() map[string]wasiCall {
	return map[string]wasiCall{
		"args_get": nothing, "args_sizes_get": twoZeros, "environ_get": nothing, "environ_sizes_get": twoZeros,
		"clock_res_get": wasiClockRes, "clock_time_get": wasiClockTime, "random_get": wasiRandom,
		"fd_write": wasiWrite, "fd_read": wasiRead, "fd_close": onStandard(errnoSuccess),
		"fd_fdstat_get": wasiFdstat, "fd_fdstat_set_flags": onStandard(errnoSuccess), "fd_filestat_get": wasiFilestat,
		"fd_prestat_get": always(errnoBadf), "fd_prestat_dir_name": always(errnoBadf),
		"fd_seek": onStandard(errnoSpipe), "fd_tell": onStandard(errnoSpipe),
		"poll_oneoff": wasiPoll, "sched_yield": nothing, "proc_exit": wasiExit,
	}
}

// wasiTypes are the parameters of every function of preview 1, i for i32 and I
// for i64. All but proc_exit return an i32.
const wasiTypes = `
args_get ii
args_sizes_get ii
environ_get ii
environ_sizes_get ii
clock_res_get ii
clock_time_get iIi
fd_advise iIIi
fd_allocate iII
fd_close i
fd_datasync i
fd_fdstat_get ii
fd_fdstat_set_flags ii
fd_fdstat_set_rights iII
fd_filestat_get ii
fd_filestat_set_size iI
fd_filestat_set_times iIIi
fd_pread iiiIi
fd_prestat_get ii
fd_prestat_dir_name iii
fd_pwrite iiiIi
fd_read iiii
fd_readdir iiiIi
fd_renumber ii
fd_seek iIii
fd_sync i
fd_tell ii
fd_write iiii
path_create_directory iii
path_filestat_get iiiii
path_filestat_set_times iiiiIIi
path_link iiiiiii
path_open iiiiiIIii
path_readlink iiiiii
path_remove_directory iii
path_rename iiiiii
path_symlink iiiii
path_unlink_file iii
poll_oneoff iiii
proc_exit i
proc_raise i
sched_yield
random_get ii
sock_accept iii
sock_recv iiiiii
sock_send iiiii
sock_shutdown ii
`

func wasiFunctions() []function {
	served := wasiServed()
	var list []function
	for line := range strings.Lines(strings.TrimSpace(wasiTypes)) {
		name, types, _ := strings.Cut(strings.TrimSpace(line), " ")
		call := served[name]
		switch {
		case call != nil:
		case strings.HasPrefix(name, "fd_"):
			call = onStandard(errnoNosys)
		default:
			call = always(errnoNosys)
		}
		f := function{module: abi.ImportWASI, name: name, price: priceTiny, result: params(i32)}
		if name == "proc_exit" {
			f.result = nil
		}
		for _, t := range types {
			if t == 'I' {
				f.params = append(f.params, i64)
			} else {
				f.params = append(f.params, i32)
			}
		}
		f.plain = func(s *State, m api.Memory, p []uint64) { p[0] = call(s, m, p) }
		if len(f.params) == 0 {
			// the stack has room for the result
			f.plain = func(s *State, m api.Memory, p []uint64) { p[0] = call(s, m, nil) }
		}
		list = append(list, f)
	}
	return list
}

func nothing(*State, api.Memory, []uint64) errno { return errnoSuccess }

func always(e errno) wasiCall { return func(*State, api.Memory, []uint64) errno { return e } }

// onStandard answers e for descriptors 0 to 2 and EBADF for others.
func onStandard(e errno) wasiCall {
	return func(_ *State, _ api.Memory, p []uint64) errno {
		if uint32(p[0]) > 2 {
			return errnoBadf
		}
		return e
	}
}

// twoZeros says that there are no arguments or variables, of no bytes.
func twoZeros(_ *State, m api.Memory, p []uint64) errno {
	a, valid := view(m, p[0], 4)
	b, valid2 := view(m, p[1], 4)
	if !valid || !valid2 {
		return errnoFault
	}
	le.PutUint32(a, 0)
	le.PutUint32(b, 0)
	return errnoSuccess
}

func wasiClockRes(s *State, m api.Memory, p []uint64) errno {
	out, valid := view(m, p[1], 8)
	if !valid {
		return errnoFault
	}
	if id := uint32(p[0]); id != clockRealtime && id != clockMono {
		return errnoInval
	}
	le.PutUint64(out, uint64(s.host.cfg.ClockResolution))
	return errnoSuccess
}

// wasiClockTime is clock_time_get(id, precision, out); the precision is a wish.
func wasiClockTime(s *State, m api.Memory, p []uint64) errno {
	out, valid := view(m, p[2], 8)
	if !valid {
		return errnoFault
	}
	switch uint32(p[0]) {
	case clockRealtime:
		le.PutUint64(out, s.host.now())
	case clockMono:
		le.PutUint64(out, s.host.monotonic())
	default:
		return errnoInval
	}
	return errnoSuccess
}

func wasiRandom(s *State, m api.Memory, p []uint64) errno {
	switch abi.Code(randomFill(s, m, p) >> 32) {
	case abi.CodeOK:
		return errnoSuccess
	case abi.CodeInvalidArgument:
		return errnoFault
	}
	return errnoIO
}

// wasiFdstat describes a descriptor: device, no flags, the rights to read and
// write.
//
//	0 u8 type    2 u16 flags    8 u64 rights    16 u64 inherited rights
func wasiFdstat(_ *State, m api.Memory, p []uint64) errno {
	if uint32(p[0]) > 2 {
		return errnoBadf
	}
	out, valid := view(m, p[1], 24)
	if !valid {
		return errnoFault
	}
	clear(out)
	out[0] = filetypeDevice
	const readWrite = 1<<1 | 1<<6
	le.PutUint64(out[8:], readWrite)
	return errnoSuccess
}

// wasiFilestat describes a descriptor as a file: 64 bytes, the type at 16.
func wasiFilestat(_ *State, m api.Memory, p []uint64) errno {
	if uint32(p[0]) > 2 {
		return errnoBadf
	}
	out, valid := view(m, p[1], 64)
	if !valid {
		return errnoFault
	}
	clear(out)
	out[16] = filetypeDevice
	le.PutUint64(out[24:], 1) // links
	return errnoSuccess
}

// wasiExit ends the instance.
func wasiExit(_ *State, _ api.Memory, p []uint64) errno {
	panic(&ExitError{Code: uint32(p[0])})
}
