// Package stateapi is Dapr's state API without a wire format: its operations,
// words, limits, errors and health, once. The servers (httpapi, and whatever
// comes beside it) are decoders in front of it; no rule about keys, etags, times
// to live, limits or errors is in them.
//
//	request -> server: decode -> API: words -> request of abi -> handle -> store
//	answer  <- server: encode <- API: *Error, bounds         <-
//
// What a request multiplies is bounded here: the items of a request, the bytes
// of an answer, and the bytes of all requests and answers together (budget.go).
package stateapi
