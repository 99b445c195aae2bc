# wasmstate: every command that people and CI use. `make` lists them.

GO       ?= go
GUESTS   := guests
LINT     := $(GO) tool -modfile=tools/go.mod golangci-lint
BENCH    ?= .
BENCHTIME ?= 1s

.DEFAULT_GOAL := help

.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the wasmstate binary into bin/
	$(GO) build -trimpath -o bin/wasmstate ./cmd/wasmstate

.PHONY: test
test: deps ## run all tests; what is missing is installed if possible, else skipped with a reason
	$(GO) test ./...

.PHONY: deps
deps: ## install the servers and compilers that tests use, where this machine allows it
	@./scripts/deps.sh test

.PHONY: check
check: fmt vet lint tidy race standard-go vectors guests-verify ## everything a change must pass

.PHONY: fmt
fmt: ## fail if a file is not formatted
	@out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); if [ -n "$$out" ]; then echo "not formatted:"; echo "$$out"; exit 1; fi

.PHONY: vet
vet: ## go vet, for the host, other systems and wasm guests
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=windows $(GO) vet ./...
	GOOS=wasip1 GOARCH=wasm $(GO) vet ./abi ./guests/sdk/go/...

.PHONY: lint
lint: ## golangci-lint with .golangci.yml
	$(LINT) run ./...

.PHONY: tidy
tidy: ## fail if go.mod is not tidy
	$(GO) mod tidy -diff

.PHONY: race
race: deps ## all tests with the race detector, import rules and docs drift included
	$(GO) test -race -shuffle=on -timeout 20m ./...

# The modules of standard Go have megabytes of code: with the race detector the
# compiler of wazero needs minutes for one, and finds nothing in one thread. The
# same goes for the tests of the specification.
.PHONY: standard-go
standard-go: deps ## the tests of guests in standard Go and of the specification, which the race target leaves out
	$(GO) test ./internal/testing/guestbuild ./guests/journal ./guests/respstore ./guests/sdk/go/...
	$(GO) test -run TestGoGuest ./runtime ./sandbox
	$(GO) test -timeout 20m ./sandbox/internal/wasmbin

.PHONY: vectors
vectors: ## the golden wire messages, read by the SDKs in their own languages
	$(MAKE) -C $(GUESTS) vectors

.PHONY: toolchains
toolchains: ## install every guest compiler that can be installed here
	@./$(GUESTS)/toolchains.sh

.PHONY: guests
guests: ## build every guest that the installed compilers can build
	$(MAKE) -C $(GUESTS) all

.PHONY: guests-verify
guests-verify: ## rebuild the committed modules and compare them byte for byte
	$(MAKE) -C $(GUESTS) verify

.PHONY: fuzz
fuzz: ## fuzz every parser for FUZZTIME (default 20s) each
	@./scripts/fuzz.sh $(or $(FUZZTIME),20s)

.PHONY: chaos
chaos: ## a million operations over a thousand random changes of the components
	WASMSTATE_CHAOS=1000000,2600 $(GO) test -run TestChaos -timeout 30m -v ./runtime

.PHONY: bench
bench: ## benchmarks in the process and against other systems
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) ./...
	cd bench && $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) ./...

.PHONY: clean
clean: ## remove what builds leave
	rm -rf bin dist
