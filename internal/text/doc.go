// Package text holds what the product does with text for people and text of
// guests: the nearest known name, text made harmless for logs and terminals,
// secrets masked, sizes read and written. It imports the standard library only.
//
// Text in which a guest had a hand goes through three steps in this order:
//
//	mask secrets      sees all of the text, as it was written
//	make harmless     control characters escaped, invalid UTF-8 replaced
//	cut               to a bound in bytes
//
// [Redactor.Clean] does all three. In any other order a part of a secret passes:
// what is escaped or cut is no longer equal to the secret.
package text
