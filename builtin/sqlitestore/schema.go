package sqlitestore

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/wasmstate/wasmstate/abi"
)

// columns are those of Dapr's layout, migration 1.
const columns = "key, value, is_binary, etag, expiration_time, update_time"

// migrate creates what is missing in one transaction and checks what is there.
// A file that lacks nothing is only read: a reload must not wait for the file's
// lock, which the store that still serves takes again and again.
func migrate(c *conn, cfg *config) error {
	if cfg.readOnly {
		return checkLayout(c, cfg)
	}
	switch done, err := complete(c, cfg); {
	case err != nil:
		return err
	case done:
		return checkLayout(c, cfg)
	}
	if err := c.run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := createTables(c, cfg)
	if err == nil { // the table may have been there before
		err = checkLayout(c, cfg)
	}
	if err == nil {
		err = c.run("CREATE INDEX IF NOT EXISTS " + quote(cfg.name+"_expiration") + " ON " + cfg.table + " (expiration_time) WHERE expiration_time IS NOT NULL")
	}
	if err == nil {
		err = c.run("COMMIT")
	}
	if err != nil {
		return errors.Join(err, rollback(c))
	}
	return nil
}

// complete reports whether migrate would change nothing.
func complete(c *conn, cfg *config) (bool, error) {
	var names []string
	for _, name := range []string{cfg.metadataTable, cfg.table, cfg.typesTable, quote(cfg.name + "_expiration")} {
		names = append(names, "'"+strings.Trim(name, `"`)+"'")
	}
	v, _, err := c.value("SELECT count(*) FROM sqlite_master WHERE name COLLATE NOCASE IN (" + strings.Join(names, ", ") + ")")
	if n, _ := v.(int64); err != nil || n < int64(len(names)) {
		return false, err
	}
	_, found, err := c.value("SELECT 1 FROM " + cfg.metadataTable + " WHERE key = 'migrations'")
	return found, err
}

// rollback ends a transaction that SQLite may have ended already.
func rollback(c *conn) error {
	if err := c.run("ROLLBACK"); err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		return err
	}
	return nil
}

func createTables(c *conn, cfg *config) error {
	for _, text := range []string{
		"CREATE TABLE IF NOT EXISTS " + cfg.metadataTable + " (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
		"CREATE TABLE IF NOT EXISTS " + cfg.table + ` (
			key TEXT NOT NULL PRIMARY KEY,
			value TEXT NOT NULL,
			is_binary BOOLEAN NOT NULL,
			etag TEXT NOT NULL,
			expiration_time TIMESTAMP DEFAULT NULL,
			update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
		)`,
		// Dapr would try to create the state table if the level were missing.
		"INSERT INTO " + cfg.metadataTable + " (key, value) VALUES ('migrations', '1') ON CONFLICT (key) DO NOTHING",
		"CREATE TABLE IF NOT EXISTS " + cfg.typesTable + ` (
			key TEXT NOT NULL PRIMARY KEY,
			etag TEXT NOT NULL,
			content_type TEXT NOT NULL
		) WITHOUT ROWID`,
	} {
		if err := c.run(text); err != nil {
			return err
		}
	}
	return nil
}

// checkLayout fails unless the state table has the columns of the layout.
func checkLayout(c *conn, cfg *config) error {
	s, err := c.c.Prepare("SELECT name FROM pragma_table_info('" + cfg.name + "')")
	if err != nil {
		return wrap("read the layout", err)
	}
	have := map[string]bool{}
	err = stmt{s}.rows(1, func(row []driver.Value) error {
		name, _ := row[0].(string)
		have[strings.ToLower(name)] = true
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if len(have) == 0 {
		return abi.NewError(abi.CodeInvalidArgument, fmt.Sprintf("sqlite: the table %q does not exist and the database is read-only", cfg.name))
	}
	for _, name := range strings.Split(columns, ", ") {
		if !have[name] {
			return abi.NewError(abi.CodeInvalidArgument, fmt.Sprintf("sqlite: the table %q has no column %q: it belongs to something else; choose another tableName", cfg.name, name))
		}
	}
	return nil
}
