# What people need is `make run` and `make test`; both install what a fresh Debian 12 with Swift lacks.
SWIFT ?= swift

SOAK_KIND ?= feed
SOAK_SECONDS ?= 3600
SOAK_BINARY ?= .build/release/tickwal

# Tests that take all the cores there are; beside them those that wait for answers would wait for long.
WALKS = ModelWalkTests|PowerLossTests|FailingCallTests|FailingExchangeTests|FlippedBitTests|FeedSessionWalkTests|SlotWalkTests|FullVolumeTests|FuzzTests

.PHONY: help run build test deb package-test fuzz bench limits soak terraform-test transcripts lint format clean

help: ## Show this
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /|/' | while IFS='|' read -r name text; do \
	  printf '  make %-14s %s\n' "$$name" "$$text"; done

run: build ## Build and run against a stand-in exchange with local folders as sinks (RUN_SECONDS=60)
	@scripts/packages.sh run
	@scripts/demo.sh

build: ## Build the program for use (.build/release/tickwal)
	@scripts/packages.sh build
	$(SWIFT) build -c release --static-swift-stdlib --product tickwal

test: ## Run all tests, the end-to-end ones against real servers, several at a time (PYTEST_FLAGS="-n 4 -k disk")
	@scripts/packages.sh build test
	@scripts/venv.sh
	@scripts/autobahn.sh
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --skip '$(WALKS)|IngestTests'
	$(SWIFT) test --skip-build --filter IngestTests --skip '$(WALKS)'
	$(SWIFT) test --skip-build --filter '$(WALKS)'
	.build-venv/bin/python Tests/EndToEnd/run.py $(PYTEST_FLAGS)

deb: build ## Pack the program for Debian, with its debug symbols beside it (.build/deb)
	@scripts/packages.sh deb
	scripts/deb.sh .build/release/tickwal .build/deb

package-test: deb ## Install, upgrade, run, remove and purge the package in a Debian of its own, under systemd (needs root)
	@scripts/packages.sh package-test
	@scripts/venv.sh
	scripts/package-test.sh .build/deb

fuzz: ## Fuzz each parser that reads from outside (FUZZ_SECONDS=600 each, FUZZ_TARGETS="frames xml")
	@scripts/packages.sh build
	@scripts/fuzz.sh

bench: build ## Measure each stage of the release build against a baseline (BENCH_FLAGS="--ticks 200000")
	@scripts/packages.sh bench
	@scripts/venv.sh
	.build-venv/bin/python Benchmarks/bench.py $(BENCH_FLAGS)

limits: build ## Measure what grows with backlog, streams and rate (LIMITS_FLAGS="--only latency,start --backlog 1000000")
	@scripts/packages.sh bench
	@scripts/venv.sh
	.build-venv/bin/python Benchmarks/limits.py $(LIMITS_FLAGS)
	$(SWIFT) build -c release --package-path Benchmarks/callers --scratch-path .build-callers
	.build-callers/release/callers

soak: build ## An hour in which everything goes wrong, then the proof (SOAK_KIND=feed|local|aws|fleet, _SECONDS, _RATE, …)
	@scripts/packages.sh soak
	@scripts/venv.sh
	.build-venv/bin/python Benchmarks/soak.py --kind $(SOAK_KIND) --seconds $(SOAK_SECONDS) \
	  $(if $(SOAK_STREAMS),--streams $(SOAK_STREAMS)) $(if $(SOAK_RATE),--rate $(SOAK_RATE)) --tickwal $(SOAK_BINARY) $(SOAK_FLAGS)

transcripts: ## Write docs/transcripts anew: a first hour and a night, as the program says them
	@scripts/packages.sh build test
	@scripts/venv.sh
	$(SWIFT) build --product tickwal
	.build-venv/bin/python Tests/EndToEnd/transcripts.py

terraform-test: ## Apply the whole Terraform module to a stand-in, plan again, destroy (needs Terraform and a provider mirror)
	@scripts/packages.sh build test terraform
	@scripts/venv.sh
	$(SWIFT) build --product tickwal
	TERRAFORM_WHOLE=1 .build-venv/bin/python Tests/EndToEnd/run.py -n 2 -k 'terraform or volume' -rs

lint: ## Check format and scripts
	@scripts/packages.sh lint
	$(SWIFT) format lint --strict -r Sources Tests
	shellcheck .ci/run scripts/*.sh deploy/debian/tickwal.p* deploy/terraform/boot/tickwal-volume deploy/terraform/boot/tickwal-owner deploy/terraform/boot/tickwal-needs

format: ## Format all Swift files
	$(SWIFT) format -i -r Sources Tests

clean: ## Remove what was built
	rm -rf .build .build-venv
