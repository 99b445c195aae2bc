package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wasmstate/wasmstate/abi"
)

// config is the component's metadata, checked.
type config struct {
	dsn      string // a file: URI
	path     string // of the file; "" for a database in memory
	fresh    bool   // the file does not exist yet
	readOnly bool
	memory   bool

	timeout, busyTimeout, cleanupInterval time.Duration
	disableWAL                            bool
	synchronous                           string

	// The tables: the state table as given, and all three quoted, since a name
	// such as order is a word of SQL.
	name, table, typesTable, metadataTable string
}

// Registration announces the store to a registry.
func Registration() abi.Registration {
	return abi.Registration{Name: Name, Aliases: []string{Alias}, Properties: properties(), New: New}
}

// properties are the metadata properties; the names and defaults are Dapr's but
// for synchronous, which Dapr does not have, and the default of cleanupInterval.
func properties() []abi.Property {
	return []abi.Property{
		{Name: "connectionString", Aliases: []string{"url"}, Type: abi.TypeString, Required: true, Doc: "Path of the database file, a file: URI, or :memory: for a database that is lost at the end."},
		{Name: "timeout", Aliases: []string{"timeoutInSeconds"}, Type: abi.TypeDuration, Default: "20s", Doc: "Longest time for one operation; at least 1s."},
		{Name: "busyTimeout", Type: abi.TypeDuration, Default: "2s", Doc: "How long to wait while another process writes to the file."},
		{Name: "disableWAL", Type: abi.TypeBool, Default: "false", Doc: "Use a rollback journal instead of the write-ahead log; needed on network file systems."},
		{Name: "synchronous", Type: abi.TypeString, Default: "full", Values: []string{"full", "normal", "off"}, Doc: "When a write is acknowledged: full survives power loss, normal a killed process only, off neither."},
		{Name: "tableName", Type: abi.TypeString, Default: "state", Doc: "Table of the state: letters, digits and underscores."},
		{Name: "metadataTableName", Type: abi.TypeString, Default: "metadata", Doc: "Table of the layout's version: letters, digits and underscores."},
		{Name: "cleanupInterval", Aliases: []string{"cleanupIntervalInSeconds"}, Type: abi.TypeDuration, Default: "1h", Doc: "How often expired rows are removed from the file; 0 or less = never. They are not found in any case."},
	}
}

// clip shortens a value that an error repeats.
func clip(text string) string {
	if len(text) <= 40 {
		return text
	}
	return text[:40] + "…"
}

// invalid is an error about a property.
func invalid(format string, args ...any) error {
	return abi.NewError(abi.CodeInvalidArgument, fmt.Sprintf(format, args...))
}

func parseConfig(md abi.Metadata) (config, error) {
	var c config
	var errs [5]error
	c.timeout, errs[0] = md.Duration(20*time.Second, "timeout", "timeoutInSeconds")
	c.busyTimeout, errs[1] = md.Duration(2*time.Second, "busyTimeout")
	c.cleanupInterval, errs[2] = md.Duration(time.Hour, "cleanupInterval", "cleanupIntervalInSeconds")
	c.disableWAL, errs[3] = md.Bool(false, "disableWAL")
	c.synchronous = strings.ToLower(md.String("full", "synchronous"))
	c.table = md.String("state", "tableName")
	c.metadataTable = md.String("metadata", "metadataTableName")
	if c.timeout < time.Second && errs[0] == nil {
		errs[0] = invalid("timeout: %v is less than 1s", c.timeout)
	}
	switch c.synchronous {
	case "full", "normal", "off":
	default:
		errs[4] = invalid("synchronous: %q is not full, normal or off", clip(c.synchronous))
	}
	for name, table := range map[string]string{"tableName": c.table, "metadataTableName": c.metadataTable} {
		if !identifier(table) {
			errs[4] = invalid("%s: %q is not a table name: use letters, digits and underscores, at most 64, not beginning with a digit or sqlite_", name, clip(table))
		}
	}
	types := c.table + typesSuffix
	if strings.EqualFold(c.table, c.metadataTable) || strings.EqualFold(types, c.metadataTable) {
		errs[4] = invalid("metadataTableName: %q is taken by tableName %q", c.metadataTable, c.table)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return c, err
	}
	c.name, c.table, c.typesTable, c.metadataTable = c.table, quote(c.table), quote(types), quote(c.metadataTable)
	return c, c.connection(strings.TrimSpace(md.String("", "connectionString", "url")))
}

// typesSuffix is added to the name of the state table.
const typesSuffix = "_content_type"

// quote makes a word of an identifier, which contains no quotes.
func quote(identifier string) string { return `"` + identifier + `"` }

// identifier says whether a name is harmless in a statement.
func identifier(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (r < '0' || r > '9' || i == 0) {
			return false
		}
	}
	return name != "" && len(name) <= 64 && !strings.HasPrefix(strings.ToLower(name), "sqlite_")
}

// connection makes the URI of a connection string.
func (c *config) connection(text string) error {
	if text == "" {
		return invalid("connectionString is missing: give the path of a file, such as data.db")
	}
	if strings.ContainsRune(text, 0) {
		return invalid("connectionString contains a zero byte")
	}
	uri, query, _ := strings.Cut(text, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return invalid("connectionString: the options after ? cannot be read: %v", err)
	}
	for _, p := range values["_pragma"] {
		for option, property := range map[string]string{"busy_timeout": "busyTimeout", "journal_mode": "disableWAL", "synchronous": "synchronous", "foreign_keys": ""} {
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(p)), option) {
				if property == "" {
					return invalid("connectionString: _pragma=%s cannot be set", option)
				}
				return invalid("connectionString: _pragma=%s cannot be set there; use the property %s", option, property)
			}
		}
	}
	c.path = uri
	if len(uri) >= 5 && strings.EqualFold(uri[:5], "file:") {
		uri = "file:" + uri[5:]
		c.path = strings.TrimPrefix(uri[5:], "//")
		if p, err := url.PathUnescape(c.path); err == nil {
			c.path = p
		}
	} else {
		uri = "file:" + strings.NewReplacer("%", "%25", "#", "%23").Replace(uri)
	}
	if c.memory = c.path == ":memory:" || values.Get("mode") == "memory"; c.memory {
		c.path = ""
	}
	c.readOnly = values.Get("mode") == "ro" || values.Get("immutable") == "1"
	if len(values) > 0 {
		uri += "?" + values.Encode()
	}
	c.dsn = uri
	if c.memory {
		return nil
	}
	return c.reachable()
}

// reachable looks at the file's place, because what it finds is clearer than
// SQLite's "unable to open". It does not open the file: closing it again would
// drop the locks that another store in this process holds on it, as POSIX
// wants it.
func (c *config) reachable() error {
	if c.path == "" {
		return invalid("connectionString names no file")
	}
	dir := filepath.Dir(c.path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return invalid("connectionString: the folder %q does not exist; create it or correct the path", dir)
	case err != nil:
		return abi.WrapError(abi.CodePermission, "connectionString", err)
	case !info.IsDir():
		return invalid("connectionString: %q is not a folder", dir)
	}
	info, err = os.Stat(c.path)
	switch {
	case err == nil && info.IsDir():
		return invalid("connectionString: %q is a folder; give the path of a file in it", c.path)
	case errors.Is(err, fs.ErrNotExist) && c.readOnly:
		return invalid("connectionString: the file %q does not exist and is opened read-only", c.path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return abi.WrapError(abi.CodePermission, "connectionString", err)
	}
	if c.fresh = err != nil; !c.fresh {
		return nil
	}
	// A new file of this name would take over the log, and take what is only
	// in it from a store that still has the old file open.
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(c.path + suffix); err == nil && info.Size() > 0 {
			return abi.NewError(abi.CodeUnavailable, fmt.Sprintf("sqlite: the file is gone: %q does not exist, but its log %q does and may hold data;"+
				" put the file back, or move the log away too to begin with an empty file", c.path, c.path+suffix))
		}
	}
	return nil
}

// protect takes a new file and its log away from other users of the machine,
// for state may be secret. SQLite gives logs the mode of the file.
func (c *config) protect() error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Chmod(c.path+suffix, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return abi.WrapError(abi.CodePermission, "connectionString", err)
		}
	}
	return nil
}
