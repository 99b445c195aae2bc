package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/wasmstate/wasmstate/abi"
	"github.com/wasmstate/wasmstate/runtime/handle"
)

// apiError is the error body of the API: Dapr's, with its codes.
type apiError struct {
	status  int
	code    string
	message string
	details []any
}

func (e apiError) write(w http.ResponseWriter) {
	body, err := json.Marshal(struct {
		Code    string `json:"errorCode"`
		Message string `json:"message"`
		Details []any  `json:"details,omitempty"`
	}{e.code, e.message, e.details})
	if err != nil {
		body = []byte(`{"errorCode":"ERR_INTERNAL","message":"the error cannot be shown"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status)
	_, _ = w.Write(body)
}

// The members of details, with the type names of google.rpc.
type errorInfo struct {
	Type     string            `json:"@type"`
	Reason   string            `json:"reason"`
	Domain   string            `json:"domain"`
	Metadata map[string]string `json:"metadata"`
}

type resourceInfo struct {
	Type         string `json:"@type"`
	ResourceType string `json:"resource_type"`
	ResourceName string `json:"resource_name"`
	Owner        string `json:"owner"`
	Description  string `json:"description"`
}

type badRequest struct {
	Type       string           `json:"@type"`
	Violations []fieldViolation `json:"field_violations"`
}

type fieldViolation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

func info(reason string, metadata map[string]string) errorInfo {
	return errorInfo{"type.googleapis.com/google.rpc.ErrorInfo", reason, "dapr.io", metadata}
}

func resource(store string) resourceInfo {
	return resourceInfo{Type: "type.googleapis.com/google.rpc.ResourceInfo", ResourceType: "state", ResourceName: store}
}

// storeError answers for a store that cannot be looked up.
func storeError(w http.ResponseWriter, appID, name string, err error) {
	var nf *handle.NotFoundError
	app := map[string]string{"appID": appID}
	switch {
	case errors.As(err, &nf) && !nf.Configured:
		apiError{http.StatusInternalServerError, "ERR_STATE_STORE_NOT_CONFIGURED", nf.Error(), []any{info("DAPR_STATE_NOT_CONFIGURED", app)}}.write(w)
	case errors.As(err, &nf):
		apiError{http.StatusBadRequest, "ERR_STATE_STORE_NOT_FOUND", nf.Error(), []any{info("DAPR_STATE_NOT_FOUND", app)}}.write(w)
	default:
		apiError{http.StatusInternalServerError, "ERR_STATE_STORE_NOT_FOUND", "state store " + name + ": " + err.Error(), nil}.write(w)
	}
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

// failure says what an operation answers when the store refuses.
type failure struct {
	code string // errorCode
	text string // begins the message; the store's error follows
}

// opError answers with a store's error.
func opError(w http.ResponseWriter, store string, f failure, err error) {
	var illegal *handle.IllegalKeyError
	var many *handle.TooManyOpsError
	var unsupported *handle.UnsupportedError
	switch {
	case errors.As(err, &illegal):
		apiError{http.StatusBadRequest, "ERR_MALFORMED_REQUEST", `api error: code = InvalidArgument desc = ` + illegal.Error(), []any{
			badRequest{"type.googleapis.com/google.rpc.BadRequest", []fieldViolation{{illegal.Key, illegal.Error()}}},
			resource(store), info("DAPR_STATE_ILLEGAL_KEY", nil),
		}}.write(w)
		return
	case errors.As(err, &many):
		apiError{http.StatusBadRequest, "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS", many.Error(), []any{info("DAPR_STATE_TOO_MANY_TRANSACTIONS",
			map[string]string{"currentOpsTransaction": strconv.Itoa(many.Ops), "maxOpsPerTransaction": strconv.Itoa(many.Max)})}}.write(w)
		return
	case errors.As(err, &unsupported) && unsupported.Feature == abi.FeatureTransactional:
		apiError{http.StatusInternalServerError, "ERR_STATE_STORE_NOT_SUPPORTED", "state store " + store + " doesn't support transactions", []any{
			resource(store), info("DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED", nil),
		}}.write(w)
		return
	}
	var op *handle.OpError
	if errors.As(err, &op) {
		err = op.Err // component, operation and key are in the text already
	}
	apiError{statusOf(abi.CodeOf(err)), f.code, f.text + ": " + err.Error(), nil}.write(w)
}

func malformed(w http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		apiError{http.StatusRequestEntityTooLarge, "ERR_MALFORMED_REQUEST",
			"the request body is larger than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes (--max-body-size)", nil}.write(w)
		return
	}
	apiError{http.StatusBadRequest, "ERR_MALFORMED_REQUEST", err.Error(), nil}.write(w)
}
