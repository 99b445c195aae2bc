package abi

// Version is the major version of the wasm ABI that this package describes. A
// host and a guest of the same major version understand each other; fields
// are only ever appended within it.
const Version = 1

// ManifestSection is the custom section that holds a module's manifest, JSON
// of at most MaxManifestSize bytes.
const (
	ManifestSection = "wasmstate.manifest"
	MaxManifestSize = 64 << 10
)

// The exports of a guest. Every operation has the type (i32) -> (i64): the
// argument is the length of the request record at the start of the shared
// buffer, the result packs the status ([Code]) in its high and the length of
// the response record at the start of the buffer in its low 32 bits.
const (
	ExportMemory     = "memory"
	ExportInitialize = "_initialize" // () -> (); run once before anything else, if present

	// ExportOpen is (abi i32, want i32) -> i64. The guest answers with the
	// address (high) and the size (low) of a buffer of at least want bytes, or 0
	// to refuse. Called before anything else and again to grow the buffer.
	ExportOpen = "ws_open"

	ExportInit      = "ws_init"       // optional; InitRequest
	ExportGet       = "ws_get"        // Request -> Response
	ExportSet       = "ws_set"        // Request -> Response
	ExportDelete    = "ws_delete"     // Request -> Response
	ExportBulkGet   = "ws_bulk_get"   // optional (BULK); Batch -> Response with items
	ExportBulkWrite = "ws_bulk_write" // optional (BULK); Batch -> Response with items
	ExportTransact  = "ws_transact"   // optional (TRANSACTIONAL); Batch -> Response
	ExportKeys      = "ws_keys"       // optional (KEYS); Request -> Response with items
	ExportQuery     = "ws_query"      // reserved in version 1, never called
	ExportPing      = "ws_ping"       // optional; no request record
	ExportIdle      = "ws_idle"       // optional; no request record; off the request path
	ExportExport    = "ws_export"     // optional (EXPORT); Request -> Response with items
	ExportImport    = "ws_import"     // optional (EXPORT); Batch -> Response
	ExportClose     = "ws_close"      // optional; no request record
)

// The import namespaces: one per capability. A module that imports from a
// namespace wishes that capability.
const (
	ImportLog    = "wasmstate_log"
	ImportClock  = "wasmstate_clock"
	ImportRandom = "wasmstate_random"
	ImportConfig = "wasmstate_config"
	ImportSecret = "wasmstate_secret"
	ImportMetric = "wasmstate_metric"
	ImportKV     = "wasmstate_kv"
	ImportHTTP   = "wasmstate_http"
	ImportTCP    = "wasmstate_tcp"
	ImportWASI   = "wasi_snapshot_preview1" // the subset that toolchains need
)
