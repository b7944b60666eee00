"""`python -m ai_library_bot` is `library`."""

import sys

from ai_library_bot.cli import main

if __name__ == "__main__":
    sys.exit(main())
