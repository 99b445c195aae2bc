package hostfuncs_test

import (
	"fmt"

	"github.com/wasmstate/wasmstate/hostfuncs"
)

func ExampleParseHTTPRule() {
	rule, err := hostfuncs.ParseHTTPRule("GET,HEAD https://api.example.com/v1/")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(rule.Methods, rule.Scheme, rule.Host, rule.Port, rule.Path)

	_, err = hostfuncs.ParseHTTPRule("ftp://files.example.com")
	fmt.Println(err != nil)
	// Output:
	// [GET HEAD] https api.example.com 443 /v1/
	// true
}
