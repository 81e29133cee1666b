# What a newcomer and CI call. Each target says what it does and can be run again.

.PHONY: run build test lint reset format conformance bench bench-reports bench-leases bench-access sim

run: ## Start Gatehouse here, send one request, stop with Ctrl-C
	@scripts/dev run

build: ## The programs for release: they need no Swift where they run
	@scripts/dev build

test: ## All tests: units, PostgreSQL, running binaries, real clients
	@scripts/test

lint: ## Style, as CI checks it
	@scripts/lint

format: ## Put the sources into the project's format
	@swift format --in-place --parallel --recursive Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources Benchmarks/Reports Benchmarks/Leases Benchmarks/Access Benchmarks

conformance: ## The providers' own SDKs against running binaries
	@scripts/test conformance

bench: ## The gateway beside nginx and a direct connection, into docs/performance.md
	@Benchmarks/run.py

bench-reports: ## How long reports take on ten million records, and ingest beside them (half an hour, 12 GB of disk)
	@scripts/bench-reports

bench-leases: ## What renewing money of budgets takes with 100 gateways and a million keys (15 minutes, 10 GB of disk)
	@scripts/bench-leases

bench-access: ## What deciding on access takes with 50,000 users and 100,000 bindings (a release build, then a minute)
	@swift build -c release --scratch-path .build-release --product AccessBenchmark
	@.build-release/release/AccessBenchmark

sim: ## Budgets under faults, simulated: make sim SEEDS=10000 FIRST_SEED=1
	@scripts/sim "$(SEEDS)" "$(FIRST_SEED)"

reset: ## Stop Gatehouse here and delete its state
	@scripts/dev reset
