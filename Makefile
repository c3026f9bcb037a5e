# Ingest Lab. `make` lists the verbs; docker/*.sh do the work.
.DEFAULT_GOAL := help
SHELL := /bin/bash
EXPERIMENT ?= quick
STATE ?=
SEGMENT ?=
# Without cargo on the host the same commands run in the test image.
HOST_CARGO := $(shell command -v cargo 2>/dev/null)
CARGO := $(if $(HOST_CARGO),cargo,docker/cargo.sh)
TEST_IMAGE := $(if $(HOST_CARGO),,test)
# cargo-nextest lets tests that measure have the machine to themselves (.config/nextest.toml); without it all take turns.
NEXTEST := $(and $(HOST_CARGO),$(shell command -v cargo-nextest 2>/dev/null))
RUN_TESTS := $(CARGO) $(if $(NEXTEST),nextest run --locked,test --locked -- --test-threads=1)
# Experiments in which other programs take part want their images, too: a word that such a scheme begins with, its image.
EXPERIMENT_FILE = $(if $(filter %.toml,$(EXPERIMENT)),$(EXPERIMENT),experiments/$(EXPERIMENT).toml)
names = $(shell grep -lE '^[^\#]*"($(1))' $(EXPERIMENT_FILE) 2>/dev/null)
PEERS := $(if $(call names,py-),python) $(if $(call names,pgbench"|psql-copy"),ceilings)
export INGEST_LAB_DB_IMAGE ?= ingest-lab-db:$(or $(INGEST_LAB_TAG),local)

.PHONY: help
help: ## List these verbs
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  ./lab ARGS        any verb of the lab (./lab --help); settings: .env.example\n'

##@ For users
.PHONY: lab up down images python ceilings clean doctor fetch psql publish
lab: images ## Run the main experiment and clean up (EXPERIMENT=quick)
	@docker/stack.sh with ./lab run $(EXPERIMENT)
up: images ## Start the stack: database and link
	@docker/stack.sh up
down: ## Stop the stack; keep images and data
	@docker/stack.sh down
images: ## Build the images (official bases, or stand-ins where no registry answers)
	@docker/images.sh $(PEERS)
python: ## Build the images, the Python peers' too
	@docker/images.sh python
ceilings: ## Build the images, that of the ceilings (pgbench, psql) too
	@docker/images.sh ceilings
doctor: images ## Say what this machine can measure, and what is missing
	@docker/stack.sh doctor
fetch: images ## Get real Census files into data/ (STATE="New York" SEGMENT=1)
	@docker/stack.sh fetch "$(STATE)" "$(SEGMENT)"
psql: ## A psql in the running database
	@docker/stack.sh psql
publish: ## Give the running database a free port on 127.0.0.1, until `make down`
	@docker/stack.sh publish
clean: ## Free this project's images and volumes; results stay
	@docker/stack.sh clean

##@ For developers
.PHONY: test fmt lint unit fuzz soak bench test-crashes test-e2e test-verdict test-noise test-round-trips test-forecasts test-hosts test-link test-netem build images-test
test: ## Everything CI runs: format, lints, docs, the stack end to end, all tests
	@$(MAKE) --no-print-directory -j2 images-test checks
	docker/python/check.sh
	docker/stack.sh e2e
	$(RUN_TESTS)
# What needs no image goes beside the images' builds, which wait for downloads and linkers much of the time.
.PHONY: checks
checks: $(if $(HOST_CARGO),,images-test)
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	tests/deny.sh
	$(CARGO) $(if $(NEXTEST),nextest run,test) --locked --no-run
images-test: ## All images, and the test image where the host has no cargo
	@docker/images.sh ceilings python $(TEST_IMAGE)
build: ## Build the binaries on the host
	cargo build --release --locked
fmt: ## Format the sources
	cargo fmt
lint: ## Format check, lints, and what dependencies may be (installs cargo-deny)
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	tests/deny.sh install
unit: ## Only the tests that need no engine
	$(CARGO) test --locked --lib --bins
fuzz: ## Every parser under a fuzzer, ten minutes each (FUZZ_SECONDS=600 FUZZ_TARGETS=names; wants a nightly toolchain)
	tests/fuzz.sh
bench: python ## Ratios against pgbench, psql and Python, of statement kinds far away, of metrics; SF1 (an hour; wants a quiet machine)
	docker/stack.sh with cargo bench --locked --bench ratios
	$(CARGO) bench --locked --bench telemetry
test-e2e: images ## One pass of the whole stack
	docker/stack.sh e2e
test-crashes: images ## 200 crashes of ingester, database and link, under every scheme: is a row lost or doubled? (half an hour)
	INGEST_LAB_CRASHES=$${INGEST_LAB_CRASHES:-200} cargo test --locked --test ingester -- --ignored --nocapture crashes::
test-verdict: python ## Cells whose bound is known: are they named? (three hours and more; wants a quiet machine)
	tests/slow-sync/build.sh
	cargo test --locked --test verdict --test put_in -- --ignored --nocapture --test-threads=1
test-noise: images ## Are differences found that are there, within series and between them, and only those? (an hour and more; wants a quiet machine)
	cargo test --locked --test noise -- --ignored --nocapture --test-threads=1
test-round-trips: images ## Does a series run again from its bundle in a fresh clone say the same? (half an hour and more; wants a quiet machine)
	cargo test --locked --test round_trip -- --ignored --nocapture --test-threads=1
test-forecasts: images ## How good are forecasts over the experiments here? (half an hour; wants a quiet machine)
	cargo test --locked --test forecasts -- --ignored --nocapture --test-threads=1
soak: images ## Does the memory of lab or link grow? (an hour; SOAK_MINUTES=60)
	SOAK_MINUTES=$(or $(SOAK_MINUTES),60) cargo test --locked --test soak -- --ignored --nocapture --test-threads=1
test-hosts: images ## Client and database on two hosts: a swarm with a second engine (minutes; wants root, and INGEST_LAB_SHARED with second-engine)
	cargo test --locked --test two_hosts -- --ignored --nocapture --test-threads=1
test-link: ## The link's whole table by nfqueue, minutes long, on a machine that does nothing else (root)
	cargo test --locked --test link_table -- --ignored --nocapture --test-threads=1 nfqueue_keeps
test-netem: ## The same for netem, and against nfqueue, where the kernel or INGEST_LAB_SHARED has netem (root)
	tests/netem.sh
