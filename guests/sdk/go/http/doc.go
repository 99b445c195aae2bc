// Package http is the capability wasmstate_http: requests to URLs that the
// operator has granted, as in `http: ["GET,PUT https://api.example.com/v1/"]`.
// A module that imports it asks for the capability: say why in the manifest.
//
// It is not net/http, which TinyGo does not build for stores and whose size
// standard Go would pay for. Outside of a module it uses net/http.
//
// An exchange ends with the operation that started it: read what is needed of
// the response before returning. Nothing here is safe for concurrent use.
package http
