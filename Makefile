.DEFAULT_GOAL := help
.PHONY: help up up-full test drills check audit bench capacity images ops reset format generate lock clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /make \1	/p' Makefile | expand -t 16

up: ## run the whole product on this machine
	@scripts/up $(ARGS)

up-full: ## the same as it runs for real: processes, RabbitMQ, PostgreSQL, MariaDB
	@scripts/up-full $(ARGS)

test: ## run the tests; ARGS="tests/unit -k cancel" for some
	@scripts/test $(ARGS)

drills: ## kill it and its servers at every step, and look whether anything is lost; ARGS="-k relay" for some
	@scripts/drills $(ARGS)

check: ## format, lint, types, import contracts, protos, migrations
	@scripts/check

audit: ## ask whether holes are known in the packages that run; needs the network
	@scripts/audit $(ARGS)

bench: ## measure it under load; ARGS=full for the full mode
	@scripts/setup dev servers && .venv/bin/python -m scripts.bench $(ARGS)

capacity: ## say what a party costs and the machines for a load; ARGS="--measure --write" to measure it anew
	@scripts/setup dev servers && .venv/bin/python -m scripts.bench.capacity $(ARGS)

images: ## build the container images; ARGS="--registry host/path --tag 1.2.3 --push" to send them
	@scripts/images $(ARGS)

ops: ## look after a system that runs; ARGS="doctor", "check", "dead-letters list", …
	@scripts/ops $(ARGS)

reset: ## throw the local data away
	@scripts/reset $(ARGS)

format: ## format the code
	@scripts/format

generate: ## make gen/ anew from protos/
	@scripts/setup && scripts/generate

lock: ## write the lock files anew from pyproject.toml; ARGS=--upgrade for newer versions
	@scripts/lock $(ARGS)

clean: ## remove all that tools made, the environment included; data stays
	@rm -rf .venv gen gen.new gen.old .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
