package stateapi

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// Error is a refusal as Dapr words it: the same code, message and details on
// every protocol.
type Error struct {
	Status     int    // of HTTP
	Code       string // errorCode, such as ERR_STATE_GET
	Message    string
	Details    []any // of google.rpc, with their type names; nil = none
	RetryAfter int   // seconds after which it may go better; 0 = nobody knows
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// ErrorInfo is the member of Details that says why, with the type name of
// google.rpc, as all of them.
type ErrorInfo struct {
	Type     string            `json:"@type"`
	Reason   string            `json:"reason"`
	Domain   string            `json:"domain"`
	Metadata map[string]string `json:"metadata"`
}

// ResourceInfo is the member of Details that says of which store.
type ResourceInfo struct {
	Type         string `json:"@type"`
	ResourceType string `json:"resource_type"`
	ResourceName string `json:"resource_name"`
	Owner        string `json:"owner"`
	Description  string `json:"description"`
}

// BadRequest is the member of Details that says what is wrong with a request.
type BadRequest struct {
	Type       string           `json:"@type"`
	Violations []FieldViolation `json:"field_violations"`
}

// FieldViolation is one thing wrong with a request.
type FieldViolation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

func info(reason string, metadata map[string]string) ErrorInfo {
	return ErrorInfo{"type.googleapis.com/google.rpc.ErrorInfo", reason, "dapr.io", metadata}
}

func resource(store string) ResourceInfo {
	return ResourceInfo{Type: "type.googleapis.com/google.rpc.ResourceInfo", ResourceType: "state", ResourceName: store}
}

// Malformed is a request that cannot be understood.
func Malformed(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	return &Error{Status: http.StatusBadRequest, Code: "ERR_MALFORMED_REQUEST", Message: err.Error()}
}

// BodyTooLarge is a body beyond the limit of bytes.
func BodyTooLarge(limit int64) *Error {
	return tooLarge("the request body is larger than " + strconv.FormatInt(limit, 10) + " bytes, the limit of this server (max-body-size)")
}

func tooLarge(msg string) *Error {
	return &Error{Status: http.StatusRequestEntityTooLarge, Code: "ERR_MALFORMED_REQUEST", Message: msg}
}

// busy turns away who waited for memory in vain.
func busy() *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "ERR_SERVER_BUSY", RetryAfter: 1,
		Message: "all requests together hold as much memory as they may; try again",
	}
}

// storeError answers for a store that cannot be looked up.
func (a *API) storeError(name string, err error) *Error {
	var nf *handle.NotFoundError
	app := map[string]string{"appID": a.cfg.AppID}
	switch {
	case errors.As(err, &nf) && !nf.Configured:
		return &Error{Status: http.StatusInternalServerError, Code: "ERR_STATE_STORE_NOT_CONFIGURED", Message: nf.Error(), Details: []any{info("DAPR_STATE_NOT_CONFIGURED", app)}}
	case errors.As(err, &nf):
		return &Error{Status: http.StatusBadRequest, Code: "ERR_STATE_STORE_NOT_FOUND", Message: nf.Error(), Details: []any{info("DAPR_STATE_NOT_FOUND", app)}}
	}
	return &Error{Status: http.StatusInternalServerError, Code: "ERR_STATE_STORE_NOT_FOUND", Message: "state store " + name + ": " + err.Error()}
}

// statusOf maps the codes of the contract to HTTP. Every code is listed.
func statusOf(c abi.Code) int {
	switch c {
	case abi.CodeOK:
		return http.StatusOK
	case abi.CodeNotFound:
		return http.StatusNotFound
	case abi.CodeETagMismatch:
		return http.StatusConflict
	case abi.CodeETagInvalid, abi.CodeInvalidArgument, abi.CodeUnsupported:
		return http.StatusBadRequest
	case abi.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case abi.CodeQuota:
		return http.StatusInsufficientStorage
	case abi.CodeRateLimited:
		return http.StatusTooManyRequests
	case abi.CodeTimeout:
		return http.StatusGatewayTimeout
	case abi.CodeCancelled:
		return 499 // the client has gone; the number that proxies log
	case abi.CodeUnavailable, abi.CodeClosed:
		return http.StatusServiceUnavailable
	case abi.CodePermission:
		return http.StatusForbidden
	case abi.CodeCorrupt, abi.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// failed is the refusal of a store: code and text say what was asked of it.
func failed(store, code, text string, err error) *Error {
	var illegal *handle.IllegalKeyError
	var many *handle.TooManyOpsError
	var unsupported *handle.UnsupportedError
	switch {
	case errors.As(err, &illegal):
		return &Error{Status: http.StatusBadRequest, Code: "ERR_MALFORMED_REQUEST", Message: `api error: code = InvalidArgument desc = ` + illegal.Error(), Details: []any{
			BadRequest{"type.googleapis.com/google.rpc.BadRequest", []FieldViolation{{illegal.Key, illegal.Error()}}},
			resource(store), info("DAPR_STATE_ILLEGAL_KEY", nil),
		}}
	case errors.As(err, &many):
		return &Error{Status: http.StatusBadRequest, Code: "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS", Message: many.Error(), Details: []any{info("DAPR_STATE_TOO_MANY_TRANSACTIONS",
			map[string]string{"currentOpsTransaction": strconv.Itoa(many.Ops), "maxOpsPerTransaction": strconv.Itoa(many.Max)})}}
	case errors.As(err, &unsupported) && unsupported.Feature == abi.FeatureTransactional:
		return &Error{Status: http.StatusInternalServerError, Code: "ERR_STATE_STORE_NOT_SUPPORTED", Message: "state store " + store + " doesn't support transactions", Details: []any{
			resource(store), info("DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED", nil),
		}}
	}
	var op *handle.OpError
	if errors.As(err, &op) {
		err = op.Err // component, operation and key are in the text already
	}
	e := &Error{Status: statusOf(abi.CodeOf(err)), Code: code, Message: text + ": " + err.Error()}
	if e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests {
		e.RetryAfter = 1
	}
	return e
}
