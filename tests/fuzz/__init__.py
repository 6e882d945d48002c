"""Random cases that look for what no test expects; `python tests/fuzz --help`."""
