# Lethe: what there is to run. `make` alone prints the list.
#
# Everything is built in the release profile with the locked dependencies, because RocksDB and FAISS
# take long to compile and one build of them serves all. CARGO_TARGET_DIR is honoured when it is set.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

CARGO ?= cargo
# How every cargo command builds. All but the benchmarks name the whole workspace: a part of it may need
# fewer features of a shared dependency, and RocksDB would be compiled again for the difference.
BUILD := --release --locked
# Lints the .proto files; `make setup` puts it there.
BUF := $${XDG_CACHE_HOME:-$$HOME/.cache}/lethe/buf/node_modules/.bin/buf
# A folder of embeddings for the demo; without one it makes synthetic people.
DATA ?=
# Sizes of the galleries that are measured, which scenario (search, verify, enroll, erase, start, sweep, retention), and where results go.
SIZES ?= 10000,30000,100000
SCENARIO ?= all
RESULTS ?= docs/benchmarks/results
# How often the soak kills a server in mid-work.
LETHE_KILLS ?= 500
# How many operations the soak's adversary looks at.
LETHE_HISTORY ?= 2000
# How long each decoder is fuzzed, by which targets, with which sanitizer: any but none needs RUSTC_BOOTSTRAP=1.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= page record root_slot receipt log_entry log_proof succession backup restore media attestation
FUZZ_SANITIZER ?= none
# Instrumented from the first crate on, so it has a folder of its own; inputs that are found are kept there.
FUZZ_DIR := $${CARGO_TARGET_DIR:-target}/fuzz
FUZZ := $(CARGO) fuzz
# A Python of its own for the peer that is measured against by that name.
QDRANT_DIR := $${XDG_CACHE_HOME:-$$HOME/.cache}/lethe/qdrant
# Fan-outs that are compared, the format's among them.
FAN_OUTS ?= 16 32 64 128 256
FAN_OUT_DIR := $${CARGO_TARGET_DIR:-target}/fan-out

step = @printf '\n==> %s\n' "$(1)"

# A check whose tool is not there is skipped, and says so; where LETHE_SKIP_NOTHING is set, as in CI, that is a failure.
skip = { printf 'skipped: %s\n' '$(1)'; [ -z "$${LETHE_SKIP_NOTHING:-}" ]; }

.PHONY: help
help: ## Prints this list.
	@printf 'Lethe, a biometric template vault. Usage: make <target>\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'
	@printf '\nThe first build compiles RocksDB and FAISS: about 25 minutes on two cores.\n'

.PHONY: setup
setup: ## Installs what the build needs (Debian 12); does nothing when it is there.
	$(call step,setup)
	@.ci/setup

.PHONY: setup-build
setup-build:
	$(call step,setup)
	@.ci/setup build

.PHONY: demo
demo: setup-build ## Enrolls, verifies, searches and erases in an embedded vault. DATA=folder takes your embeddings.
	$(call step,demo: building lethe)
	@$(CARGO) build $(BUILD) --workspace --bin lethe
	$(call step,demo)
	@"$${CARGO_TARGET_DIR:-target}/release/lethe" demo $(if $(DATA),--data "$(DATA)")

.PHONY: test
test: setup lint unit fuzz-short docs audit ## Everything a change must pass: setup, lint, tests, documentation, dependencies.
	@printf '\n==> all passed\n'

.PHONY: lint
lint: format proto-lint proto-breaking clippy ## Format, .proto files, clippy with warnings denied.

.PHONY: format
format:
	$(call step,format)
	@$(CARGO) fmt --all --check
	@$(CARGO) fmt --manifest-path tests/fuzz/Cargo.toml --check

.PHONY: proto-lint
proto-lint:
	$(call step,proto: buf lint)
	@if [ ! -x "$(BUF)" ]; then \
	    $(call skip,buf is not installed; `make setup` gets it where there is npm (Node.js brings it)); \
	else \
	    cd proto && "$(BUF)" lint && "$(BUF)" format --diff --exit-code && echo 'clean'; \
	fi

.PHONY: proto-breaking
proto-breaking:
	$(call step,proto: buf breaking)
	@release=$$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true); \
	if [ -z "$$release" ]; then \
	    echo 'skipped: there is no release yet that clients could depend on'; \
	elif [ ! -x "$(BUF)" ]; then \
	    $(call skip,buf is not installed); \
	else \
	    cd proto && "$(BUF)" breaking --against "../.git#tag=$$release,subdir=proto" && echo "compatible with $$release"; \
	fi

.PHONY: clippy
clippy:
	$(call step,clippy)
	@$(CARGO) clippy $(BUILD) --workspace --all-targets -- -D warnings

.PHONY: unit
unit:
	$(call step,tests: the server that they start and what records it)
	@$(CARGO) build $(BUILD) --workspace --bin lethe --lib
	@$(CARGO) build $(BUILD) --workspace --features lethe-vault/failpoints --bin lethe-failpoints
	$(call step,tests)
	@if [ -n "$${LETHE_REAL_DATA:-}" ]; then \
	    printf 'real faces: %s\n' "$$LETHE_REAL_DATA"; \
	else \
	    $(call skip,had no real faces: LETHE_REAL_DATA is not set; generated ones stand in); \
	fi
	@[ "$$(id -u)" = 0 ] || $(call skip,only root may look at the memory of a running server)
	@$(CARGO) nextest run $(BUILD) --workspace --no-fail-fast
	$(call step,examples in the documentation)
	@$(CARGO) test $(BUILD) --workspace --doc

.PHONY: fuzz
fuzz: setup fuzz-build ## Fuzzes every decoder, FUZZ_SECONDS (600) each; FUZZ_TARGETS chooses.
	@$(MAKE) fuzz-run

.PHONY: fuzz-short
fuzz-short: fuzz-build
	@$(MAKE) fuzz-run FUZZ_SECONDS=3

.PHONY: fuzz-build
fuzz-build:
	$(call step,fuzz targets)
	@$(FUZZ) build --fuzz-dir tests/fuzz --sanitizer $(FUZZ_SANITIZER) --target-dir "$(FUZZ_DIR)"

# First the corpus of the repository, then new inputs, which go to the folder that is named first.
.PHONY: fuzz-run
fuzz-run:
	@for target in $(FUZZ_TARGETS); do \
	    printf '\n==> fuzz: %s\n' "$$target"; \
	    found="$(FUZZ_DIR)/corpus/$$target"; \
	    mkdir -p "$$found" "tests/fuzz/corpus/$$target" "tests/fuzz/artifacts/$$target"; \
	    log="$(FUZZ_DIR)/$$target.log"; \
	    "$(FUZZ_DIR)/x86_64-unknown-linux-gnu/release/$$target" "$$found" "tests/fuzz/corpus/$$target" \
	        -artifact_prefix="tests/fuzz/artifacts/$$target/" -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -len_control=10 \
	        -timeout=10 -print_final_stats=1 $$(test -f "tests/fuzz/dictionaries/$$target" && echo "-dict=tests/fuzz/dictionaries/$$target") \
	        > "$$log" 2>&1 || { tail -n 40 "$$log"; exit 1; }; \
	    grep -aE 'DONE|number_of_executed_units' "$$log"; \
	done

.PHONY: fuzz-corpus
fuzz-corpus: fuzz-build ## Takes what fuzzing found into the corpus of the repository, as little of it as covers the same.
	@for target in $(FUZZ_TARGETS); do \
	    kept="$(FUZZ_DIR)/merged/$$target"; \
	    rm -rf "$$kept"; mkdir -p "$$kept" "tests/fuzz/corpus/$$target"; \
	    "$(FUZZ_DIR)/x86_64-unknown-linux-gnu/release/$$target" -set_cover_merge=1 -use_counters=0 -use_cmp=0 -max_len=4096 \
	        "$$kept" "tests/fuzz/corpus/$$target" "$(FUZZ_DIR)/corpus/$$target" > "$(FUZZ_DIR)/$$target.merge.log" 2>&1; \
	    rm -f tests/fuzz/corpus/$$target/*; cp "$$kept"/* "tests/fuzz/corpus/$$target/"; \
	    printf '%s: %s inputs\n' "$$target" "$$(ls "$$kept" | wc -l)"; \
	done

.PHONY: docs
docs: ## Builds the API documentation, with warnings denied.
	$(call step,documentation)
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc $(BUILD) --workspace --no-deps

.PHONY: audit
audit:
	$(call step,dependencies: cargo deny)
	@# Crates of other platforms are in the lock file, too: a build does not get them.
	@$(CARGO) fetch --locked --quiet
	@$(CARGO) deny --locked --offline check bans licenses sources
	@if $(CARGO) deny --locked fetch db >/dev/null 2>&1; then \
	    $(CARGO) deny --locked check --disable-fetch advisories; \
	else \
	    echo 'advisories: the RustSec database cannot be fetched from here, so nothing was held against it'; \
	fi

.PHONY: bench
bench: setup ## Measures against the peers and the machine's limits, SCENARIO (all); about 20 minutes on a quiet machine.
	$(call step,benchmarks)
	@$(CARGO) build $(BUILD) --workspace --bins
	@rm -rf $(if $(filter all,$(SCENARIO)),'$(RESULTS)','$(RESULTS)'/$(SCENARIO).*)
	@"$${CARGO_TARGET_DIR:-target}/release/lethe-bench" $(SCENARIO) --size '$(SIZES)' --store '$(RESULTS)'
	@"$${CARGO_TARGET_DIR:-target}/release/lethe-bench" report --from '$(RESULTS)' --to docs/benchmarks

.PHONY: bench-approximate
bench-approximate: setup ## Searches against approximate indexes at SIZES: FAISS's HNSW, and Qdrant Edge, which comes from PyPI.
	$(call step,benchmarks against approximate indexes)
	@python3 -m venv "$(QDRANT_DIR)" && "$(QDRANT_DIR)/bin/pip" install --quiet qdrant-edge-py==0.9.0
	@$(CARGO) build $(BUILD) --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/release/lethe-bench" search --peer hnsw --peer qdrant \
	    --qdrant-python "$(QDRANT_DIR)/bin/python" --size '$(SIZES)' --store '$(RESULTS)'
	@"$${CARGO_TARGET_DIR:-target}/release/lethe-bench" report --from '$(RESULTS)' --to docs/benchmarks

.PHONY: erase-bytes
erase-bytes: setup ## Where the bytes of an erasure go, by file and by kind of row.
	$(call step,erase-bytes)
	@$(CARGO) build $(BUILD) --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/release/lethe-bench" bytes > docs/benchmarks/erase-bytes.md.new
	@mv docs/benchmarks/erase-bytes.md.new docs/benchmarks/erase-bytes.md

.PHONY: kernels
kernels: setup ## The same for single kernels, with criterion.
	$(call step,kernels)
	@$(CARGO) bench --profile release --locked -p lethe-benches

# A build for each: the product knows one fan-out. It is small, and has a folder of its own.
.PHONY: fan-out
fan-out: ## Measures the fan-out of the key tree: bytes, pages, times, memory; a few minutes.
	$(call step,the key tree, once for each fan-out)
	@for fan_out in $(FAN_OUTS); do \
	    LETHE_FAN_OUT="$$fan_out" $(CARGO) build $(BUILD) -p lethe-crypto --features fan-out --example fan_out --target-dir "$(FAN_OUT_DIR)"; \
	    cp "$(FAN_OUT_DIR)/release/examples/fan_out" "$(FAN_OUT_DIR)/fan_out-$$fan_out"; \
	done
	$(call step,fan-out)
	@"$(FAN_OUT_DIR)/fan_out-$(firstword $(FAN_OUTS))" measure $(foreach n,$(FAN_OUTS),"$(FAN_OUT_DIR)/fan_out-$(n)") > "$(FAN_OUT_DIR)/fan-out.md"
	@cp "$(FAN_OUT_DIR)/fan-out.md" docs/benchmarks/fan-out.md

.PHONY: soak
soak: setup ## The same tests with raised counts: LETHE_KILLS kills (500), LETHE_HISTORY operations (2000), PROPTEST_CASES (4096).
	$(call step,soak: the servers that are killed and what records them)
	@$(CARGO) build $(BUILD) --workspace --bin lethe --lib
	@$(CARGO) build $(BUILD) --workspace --features lethe-vault/failpoints --bin lethe-failpoints
	$(call step,soak)
	@LETHE_SOAK=1 LETHE_HISTORY='$(LETHE_HISTORY)' LETHE_KILLS='$(LETHE_KILLS)' PROPTEST_CASES="$${PROPTEST_CASES:-4096}" \
	    $(CARGO) nextest run --profile soak $(BUILD) --workspace --no-fail-fast
