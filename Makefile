# One command for each task; .ci/run uses the same ones.
# Where Python may not write bytecode, pytest would rewrite all tests again in every process.
export PYTHONDONTWRITEBYTECODE =
.PHONY: help install test fast lint format types docs site lowest

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install:  ## install batchemo for development, with the hooks of pre-commit where it is there
	pip install -e '.[test]'
	@command -v pre-commit >/dev/null && pre-commit install || true

test:  ## all tests, on all cores
	pytest -n auto

fast:  ## the tests that start no processes and need neither TensorFlow nor a browser
	pytest -n auto -m "not process and not tensorflow and not browser"

lint:  ## style and format
	ruff check .
	ruff format --check .

format:  ## mend style and format where that can be done by itself
	ruff check --fix .
	ruff format .

types:  ## types, strictly
	mypy

docs:  ## write the pages that are made from the code; fails where a page was out of date
	python -m batchemo.cli.reference > docs/commands.md
	python -m batchemo.cli.man_page > docs/batchemo.1
	git diff --exit-code -- docs/commands.md docs/batchemo.1

site:  ## the documentation as a site in site/, which opens from a disk; broken links are errors
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

lowest:  ## the lowest versions that setup.cfg allows, on the oldest Python
	.ci/lowest
