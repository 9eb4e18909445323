"""One module a target: fuzz.target.Target says what it holds."""
