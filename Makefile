# Every target does its own set-up on Debian 12 or Ubuntu 24.04 with a Swift toolchain.
.PHONY: run test bench fuzz format lint clean

run: ## sample orders -> train -> publish -> serve on port 8080
	scripts/run

test: ## every check and every test; the last line counts them
	scripts/test

bench: ## kernels and training on this machine
	scripts/setup build
	scripts/build nextloop-bench
	.build/release/nextloop-bench topk
	.build/release/nextloop-bench als

fuzz: ## libFuzzer over what comes from outside, FUZZ_SECONDS (60) a target
	scripts/fuzz

format: ## rewrites the Swift sources in the repository's format
	swift format format --in-place --parallel --recursive Sources Tests Package.swift

lint: ## what `make test` checks before it builds
	scripts/lint

clean:
	rm -rf .build .build-fuzz .cache .venv-test
