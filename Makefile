.PHONY: fit test check bench clean

ENVIRONMENT := .venv/.complete
PKMODEL := .venv/bin/pkmodel

fit: $(ENVIRONMENT)
	$(PKMODEL) compare-groups fits/blinatumomab.toml --out runs/blinatumomab
	$(PKMODEL) fit fits/phenobarbital.toml --out runs/phenobarbital

test: $(ENVIRONMENT)
	.venv/bin/python -m pytest

check: $(ENVIRONMENT)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy --strict -p pkmodel
	.venv/bin/lint-imports

bench: $(ENVIRONMENT)
	.venv/bin/python benchmarks/run.py $(ARGS)

clean:
	rm -rf .venv .tools runs dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(ENVIRONMENT): requirements.lock pyproject.toml .ci/environment
	sh .ci/environment
	touch $@
