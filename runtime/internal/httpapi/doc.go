// Package httpapi serves the state API over HTTP with the routes, statuses and
// error bodies that Dapr's clients expect:
//
//	GET    /v1.0/state/{store}/{key}
//	POST   /v1.0/state/{store}               save; PUT too
//	DELETE /v1.0/state/{store}/{key}
//	POST   /v1.0/state/{store}/bulk          bulk get; PUT too
//	POST   /v1.0/state/{store}/transaction   PUT too
//	GET    /v1.0/metadata
//	PUT    /v1.0/metadata/{name}
//	GET    /v1.0/healthz, /v1.0/healthz/outbound
//
// Where Dapr loses data or hides a mistake of the client, this differs:
//
//   - A value is stored byte for byte as the JSON text in the request; Dapr
//     decodes and encodes it, which changes long integers and fractions.
//   - A "+" in a path is a plus sign, and a key may contain slashes, escaped
//     or not.
//   - An etag conflict in a transaction or with first-write is 409, a bad
//     ttlInSeconds, concurrency or consistency is 400, a body over the limit
//     is 413, a wrong method is 405 with Allow, a store that is configured and
//     does not serve is 503.
//   - A bulk get returns a value that is not JSON as a base64 string, marked by
//     the item's metadata "encoding": "base64"; Dapr answers an empty body.
//   - If-Match is accepted with and without quotes.
//   - ?contentType=stored on a get answers the stored content type; without it
//     the type is application/json, as in Dapr.
package httpapi
