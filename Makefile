# Hearth. `make` alone lists what there is.
SHELL := /bin/bash
MODULES := dev gateway migrations pkg services/admin services/auth services/billing services/document services/notification services/residence services/task tests
PACKAGES := $(MODULES:%=./%/...)
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X hearth.internal/pkg/boot.Version=$(VERSION)
HEARTH := bin/hearth

.DEFAULT_GOAL := help
.PHONY: help run test test-full lint bench migrate build clean tidy boundaries

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(HEARTH) ## Run everything in this terminal, on http://127.0.0.1:8080
	@exec $(HEARTH) run $(ARGS)

test: tools bin/versitygw bin/stripe-mock $(HEARTH) ## Every test with the race detector, on a private PostgreSQL, Redis and S3
	@$(HEARTH) stores go test -race -timeout 20m $(ARGS) $(PACKAGES)

# The S3 storage that tests run against, as tools/s3/go.mod pins it. A test that finds none builds it in the same way.
bin/versitygw: tools/s3/go.mod
	@echo "  Building the S3 storage of the tests: a minute or two, once."
	@GOWORK=off go build -C tools/s3 -o ../../$@ github.com/versity/versitygw/cmd/versitygw
	@touch $@

# The Stripe that billing's requests are tested against, as tools/stripe/go.mod pins it; likewise.
bin/stripe-mock: tools/stripe/go.mod
	@GOWORK=off go build -C tools/stripe -o ../../$@ github.com/stripe/stripe-mock
	@touch $@

# The race detector is C, and the README's tour is run with curl.
.PHONY: tools
tools:
	@{ command -v cc && command -v curl; } >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev curl ca-certificates >/dev/null; } \
		|| { echo "The tests need a C compiler (for the race detector) and curl: install gcc and curl."; exit 1; }

test-full: lint boundaries ## The slower suites: linters, module boundaries

lint: ## Format, vet and lint
	@test -z "$$(gofmt -l $(MODULES))" || { gofmt -l $(MODULES); echo "run gofmt -w on these"; exit 1; }
	go vet $(PACKAGES)
	@GOWORK=off go build -C tools -o ../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@for m in $(MODULES); do (cd $$m && $(CURDIR)/bin/golangci-lint run --config $(CURDIR)/.golangci.yml ./...) || exit 1; done

boundaries: ## Every module builds by itself, without the workspace
	@for m in $(MODULES); do echo "$$m" && (cd $$m && GOWORK=off go build ./... && GOWORK=off go vet ./...) || exit 1; done

bench: $(HEARTH) ## Measure the board through the gateway, beside a bare floor
	@$(HEARTH) bench $(ARGS)

migrate: $(HEARTH) ## Bring the databases up to date
	@$(HEARTH) migrate

build: ## Build every program into bin/
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./dev/cmd/... ./gateway/cmd/... ./migrations/cmd/... \
		$(patsubst %,./services/%/cmd/...,admin auth billing document notification residence task)

clean: ## Remove everything that run keeps, and bin/
	@if [ -x $(HEARTH) ]; then $(HEARTH) clean; elif [ -e .dev ]; then go run ./dev/cmd/hearth clean; fi
	@rm -rf bin

tidy: ## Tidy every module
	@for m in $(MODULES); do (cd $$m && GOWORK=off go mod tidy) || exit 1; done

# Always asked, quickly answered: go knows what has changed.
.PHONY: $(HEARTH)
$(HEARTH):
	@[ -x $@ ] || echo "  Building Hearth: the first time takes a minute or two."
	@mkdir -p bin
	@go build -ldflags '$(LDFLAGS)' -o $@ ./dev/cmd/hearth
