# Everything a person or CI does with this repository. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

GO ?= go
DEV := bin/parley-dev

# Tests in this repository wait for conditions; the limit only ends what hangs.
TEST_FLAGS ?= -timeout=15m
BENCH_STORES ?= postgres sqlite
ARGS ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build and start everything on this machine, until Ctrl-C (ARGS="-h" for the options)
	@$(DEV) run $(ARGS)

.PHONY: test
test: build ## run all tests, beside a throwaway Postgres and Temporal
	$(DEV) exec -temporal -- $(GO) test $(TEST_FLAGS) ./...
	cd dev && $(GO) test $(TEST_FLAGS) ./...
	cd deploy && $(GO) test $(TEST_FLAGS) ./...

.PHONY: check
check: build ## what a commit should pass: format, vet, lint, tidy, and the tests with the race detector but without end-to-end
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	cd dev && $(GO) vet ./...
	cd deploy && $(GO) vet ./...
	$(GO) tool staticcheck ./...
	cd dev && $$(cd .. && $(GO) tool -n staticcheck) ./internal/process ./internal/supervise ./internal/postgres
	cd deploy && $$(cd .. && $(GO) tool -n staticcheck) ./...
	$(GO) tool workflowcheck -config workflows/workflowcheck.yml ./workflows/... ./conversation/...
	$(GO) mod tidy -diff
	cd dev && $(GO) mod tidy -diff
	cd deploy && $(GO) mod tidy -diff
	cd dev && $(GO) test -race $(TEST_FLAGS) ./internal/process ./internal/supervise
	$(DEV) exec -temporal -- $(GO) test -race -short $(TEST_FLAGS) ./...

.PHONY: bench
bench: build ## measure on this machine, with Temporal on Postgres and on SQLite (ARGS="-o docs/bench.md" to write it down)
	$(GO) build -o bin/parley-bench ./bench
	@for store in $(BENCH_STORES); do \
		$(DEV) exec -quiet -durable -temporal -temporal-store=$$store -- bin/parley-bench -store $$store $(ARGS); \
	done

.PHONY: torture
torture: build ## break everything and see what holds (ARGS="-list", "-short", "-run worker-kill -seed 7", "-out docs/torture.md")
	$(GO) build -o bin/parley-torture ./torture
	$(DEV) exec -quiet -- bin/parley-torture $(ARGS)

# The first build of the Temporal server compiles some 1,800 packages in silence;
# this shows how far it is, and passes on what is not progress.
COUNT_PACKAGES = awk '/^go: downloading/ { if (++d % 100 == 1) print "  downloading modules: " d; fflush(); next } \
	/^[^ :]+$$/ { if (++n % 200 == 0) print "  compiled packages: " n " of about 1,800"; fflush(); next } \
	{ print; fflush() }'

.PHONY: build
build: ## build bin/parley and bin/parley-dev; the first time takes minutes, most of it the Temporal server
	@if [ -x $(DEV) ]; then \
		cd dev && $(GO) build -o ../$(DEV) .; \
	else \
		echo "building the Temporal server from source; the first time this takes some minutes"; \
		cd dev && $(GO) build -v -o ../$(DEV) . 2>&1 | $(COUNT_PACKAGES); \
	fi
	$(GO) build -o bin/parley ./cmd/parley

.PHONY: clean
clean: ## remove the state of make run: databases, logs, secrets of the demo
	@if [ -e .parley/lock ] && command -v flock >/dev/null && ! flock -n .parley/lock true; then echo "make run is still running; stop it first"; exit 1; fi
	@if [ -L .parley/postgres ]; then rm -rf "$$(readlink .parley/postgres)"; fi
	rm -rf .parley
