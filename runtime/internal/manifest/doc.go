// Package manifest turns component files into typed, validated values.
//
// [Load] reads every .yaml and .yml file of some folders, each with any number
// of documents, and lists the .wasm files beside them. It reads files and
// nothing else: it starts nothing, resolves no secret and knows no store.
//
// # Problems
//
// Load never fails as a whole. Whatever is wrong becomes a [Problem] with a
// file, line and column, and everything else is loaded: one broken document
// does not hurt the others of its file. [Result.Keeps] tells which components
// of an earlier load must stay because their source cannot be read at the
// moment, for example while an editor is half-way through writing a file.
//
// # Dapr
//
// Files written for Dapr load unchanged, and documents of other kinds are
// passed over with a note. What Dapr ignores silently is an error here: unknown
// fields, duplicate keys, an initTimeout that is not a duration, a secretKeyRef
// without a secret store, encryption keys (this runtime would write plain text).
//
// # Half-written files
//
// A file that is read while it is being written shows up in one of two ways.
// If it does not parse, the problem is reported, Keeps holds the components of
// the file, and the next file event loads it. If a prefix of it parses, a
// component may be missing or incomplete; the strict checks catch most of those
// cases, and writers that cannot live with the rest write a temporary file and
// rename it, as editors and Kubernetes do. The watcher's quiet period makes
// both rare.
package manifest
