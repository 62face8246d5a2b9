"""Out-of-distribution views of a benchmark."""
