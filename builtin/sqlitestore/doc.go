// Package sqlitestore is the store `state.sqlite`: a file on this machine, and
// the durable default of wasmstate. The driver is pure Go.
//
// # Durability
//
// A write is acknowledged after its transaction was synchronised to disk
// (write-ahead log, synchronous=FULL): it survives a killed process and a
// power loss. One goroutine writes; what callers ask for while a commit is
// under way goes into the next commit together, so that durable writes grow
// with the number of callers. Within a commit every operation succeeds or fails
// for itself. Reads run beside it on connections of their own.
//
// # Layout
//
// The tables are those of Dapr's state.sqlite, so that either program reads
// what the other wrote, also at the same time:
//
//	state     key TEXT PRIMARY KEY, value TEXT, is_binary BOOLEAN, etag TEXT,
//	          expiration_time TIMESTAMP, update_time TIMESTAMP
//	metadata  key TEXT PRIMARY KEY, value TEXT: migrations, last-cleanup
//
// A value that is UTF-8 without zero bytes is stored as text; any other as
// base64 with is_binary set. Times are UTC text, expiries with milliseconds;
// Dapr, which compares whole seconds, sees a key up to a second longer. Etags
// are random UUIDs.
//
// Dapr has no place for a content type, and its create-only statement names no
// columns, so that a further column would break it. Content types are
// therefore kept in a table of their own, named like the state table with
// _content_type after it: key, etag, content_type. A row counts only while its
// etag is the current one, so that a write by Dapr drops the content type. An
// index on expiration_time is added too; Dapr does not notice either.
//
// # Sharing
//
// Several processes on one machine may use one file: each write takes the
// file's lock for the length of one commit, and a process that waits longer
// than busyTimeout for it fails its writes with CodeUnavailable. Network file
// systems need disableWAL and are not recommended.
//
// # Deadlines
//
// A caller whose context ends is released at once, also if the disk hangs. A
// write that was already handed to the writer may still be carried out.
package sqlitestore
