"""`python -m robust_tuning` and the console script `robust-tuning`."""

import sys

from robust_tuning.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
