# Leyden: what one does here. `make` alone lists it.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
ERRCHECK    := github.com/kisielk/errcheck@v1.30.0
# Where the OCPP JSON schemas lie, one folder a version: needed only to generate code.
LEYDEN_SCHEMAS ?= ../shared/schemas
export LEYDEN_SCHEMAS
# The race detector looks at all code but that of SQLite, which is C, translated: each connection
# has one owner, whose accesses are looked at, and what SQLite itself does is not ours to prove.
# With it, tests of the database take nine times as much.
RACE := -race -gcflags='modernc.org/...=-race=false'

.PHONY: help build run test lint generate verify bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/leyden
	go build -trimpath -o bin/leyden ./cmd/leyden

run: ## serve with five simulated stations that charge
	go run ./cmd/leyden serve --demo 5

test: ## run all tests
	go test ./...

lint: ## check formatting, go vet, staticcheck and errcheck
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...
	go run $(ERRCHECK) -ignoretests -exclude .errcheck ./...

generate: ## write ocpp/v16/*_gen.go and client/*_gen.go anew
	go generate ./...

verify: lint ## everything that CI checks: lint, generated files fresh, go.mod tidy, race detector, commands of README and guides
	go run ./internal/gen -check
	go run ./internal/genclient -check
	@if [ -d clients/npm/node_modules ]; then cd clients/npm && npm run --silent check; \
	else echo "clients/npm/schema.d.ts is not checked: run npm ci in clients/npm (Node.js 20)"; fi
	go mod tidy -diff
	go test $(RACE) -timeout 20m ./...
	go test -run 'README|Guides' -count=1 ./cmd/leyden -args -readme

bench: build ## measure this machine: sessions per second on disk and in memory, and answer times at half of that
	bin/leyden bench sessions --store memory,sqlite --rounds 5
	bin/leyden bench rate
