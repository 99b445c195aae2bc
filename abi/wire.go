package abi

import (
	"encoding/binary"
	"time"
)

// The wire format of ABI version 1. Every record is little endian, 8-byte
// aligned in size, and starts with its own size so that either side may be
// newer: a reader takes the fields it knows and skips to the next record by
// the size it was told. Offsets in requests count from the start of the shared
// buffer; addresses in responses are absolute in guest memory.
//
// Request record (get, set, delete, keys, export; also the items of a batch):
//
//	 0 u32 size          RequestSize or more
//	 4 u32 flags         Flag…; the low 16 bits must be understood, others may be ignored
//	 8 u32 key offset        12 u32 key length        (prefix for keys)
//	16 u32 value offset      20 u32 value length      (cursor for keys and export)
//	24 u32 etag offset       28 u32 etag length
//	32 u32 type offset       36 u32 type length       content type
//	40 u32 metadata offset   44 u32 metadata length   pairs: u32 name length, u32 value length, name, value
//	48 u64 ttl               milliseconds; 0 = never expires
//	56 u64 deadline          milliseconds left for this operation; 0 = none
//	64 u32 limit             keys: most keys to return; export: bytes wished
//	68 u32 zero
//
// In the items of an import batch, ttl is the absolute expiry in Unix
// milliseconds (0 = never).
//
// Batch record (bulk get, bulk write, transact, import, init):
//
//	 0 u32 size          BatchSize or more
//	 4 u32 flags
//	 8 u32 items offset      12 u32 item count
//	16 u32 item size         distance between items in bytes
//	20 u32 zero
//	24 u64 deadline
//	32 u32 metadata offset   36 u32 metadata length   init: the properties, as pairs
//	40 u32 name offset       44 u32 name length       init: the component's name
//
// Response record (also the items of a response):
//
//	 0 u32 size          ResponseSize or more
//	 4 u32 code          items: the Code of this item; head of transact: index of the failing operation
//	 8 u32 value address     12 u32 value length
//	16 u32 etag address      20 u32 etag length
//	24 u32 type address      28 u32 type length
//	32 u32 message address   36 u32 message length    error text, UTF-8
//	40 u64 expires           Unix milliseconds; 0 = never
//	48 u32 items address     52 u32 item count
//	56 u32 item size         distance between items in bytes
//	60 u32 zero
//	64 u32 key address       68 u32 key length        items of keys and export: the key; head: the next cursor
//
// A response of length 0 is a response in which every field is zero.
const (
	RequestSize  = 72
	BatchSize    = 48
	ResponseSize = 72
)

// Flags of a request record.
const (
	FlagFirstWrite = 1 << 0 // must understand: without etag, create only
	FlagDelete     = 1 << 1 // must understand: this item of a batch is a delete
	FlagEventual   = 1 << 16
	FlagStrong     = 1 << 17

	// KnownFlags are the must-understand flags of this version. A guest that
	// meets another one in the low 16 bits answers CodeUnsupported.
	KnownFlags = FlagFirstWrite | FlagDelete
)

// MaxBuffer bounds the shared buffer that a host asks for, in bytes.
const MaxBuffer = 64 << 20

// Pack builds the result of an operation export.
func Pack(code Code, responseLen uint32) uint64 { return uint64(code)<<32 | uint64(responseLen) }

// Unpack splits the result of an operation export.
func Unpack(r uint64) (Code, uint32) { return Code(r >> 32), uint32(r) }

var le = binary.LittleEndian

func requestFlags(firstWrite bool, c Consistency) uint32 {
	var f uint32
	if firstWrite {
		f |= FlagFirstWrite
	}
	switch c {
	case ConsistencyEventual:
		f |= FlagEventual
	case ConsistencyStrong:
		f |= FlagStrong
	}
	return f
}

// millis rounds up, so that a TTL or deadline never becomes 0 = none.
func millis(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	return uint64((d-1)/time.Millisecond) + 1
}
