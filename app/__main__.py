"""`python -m app`: what an operator does from a shell."""

import sys

from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
