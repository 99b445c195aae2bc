// Package secretstore holds the secret stores that component files can name in
// auth.secretStore: secretstores.local.file, a JSON file, and
// secretstores.local.env, the process's environment. Metadata and results are
// those of Dapr's stores of the same names.
//
// Secret values are never logged and never part of an error.
package secretstore
