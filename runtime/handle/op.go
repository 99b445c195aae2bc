package handle

// Op names an operation of a handle in metrics and errors.
type Op uint8

// The operations of a handle.
const (
	Get Op = iota
	Set
	Delete
	BulkGet
	BulkWrite
	Transact
	Keys
	DeleteWithPrefix
	Ping
	NumOps // how many there are
)

// String is the operation as metrics label it, such as "bulk_get".
func (o Op) String() string {
	names := [NumOps]string{"get", "set", "delete", "bulk_get", "bulk_write", "transact", "keys", "delete_with_prefix", "ping"}
	if o < NumOps {
		return names[o]
	}
	return "unknown"
}
