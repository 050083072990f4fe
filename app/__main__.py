"""The service's command line: `python -m app --help`."""

import sys

from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
