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
// A file that a program has open for writing and changed within the last two
// seconds is not read at all: it is listed in [Result.Busy] (Linux, local file
// systems). An empty file keeps its components too, because rewriting a file
// begins with emptying it. Otherwise a half-written file either does not parse,
// which is a problem that keeps its components, or is a valid beginning; the
// strict checks catch most of those. Writers that cannot live with the rest
// write a temporary file and rename it, as editors and Kubernetes do.
//
// The same goes for modules; a truncated module that is not caught here fails to
// parse and leaves the old one in service.
package manifest
