# The few commands of this project; CONTRIBUTING.md says when to run which.
.PHONY: check test fast docs golden bench

check:  ## lint, format and types: seconds
	ruff check .
	ruff format --check .
	mypy

fast: check  ## check, and what a change of structure, names or documents breaks first
	pytest tests/spec/test_design.py tests/test_readme.py tests/test_public_names.py tests/cli/test_cli_process.py tests/exact

test: check  ## check, and all tests under ten seconds each
	pytest

docs:  ## documents against the code: links, examples, the tree and its layers, the format, public names, commands
	pytest tests/spec/test_docs.py tests/spec/test_docs_examples.py tests/spec/test_design.py tests/spec/test_format_spec.py tests/test_readme.py tests/test_public_names.py

golden:  ## stored files decode to the same samples, by rdzip and by the second decoders
	pytest tests/spec

bench:  ## start-up and speed of this machine; sizes have scripts of their own in benchmarks/
	python benchmarks/startup.py
	python benchmarks/speed.py
