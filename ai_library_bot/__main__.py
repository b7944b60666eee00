"""Where the `library` command begins; `python -m ai_library_bot` is the same."""

import signal
import sys


def main() -> int:
    """Run the command line; loading it is part of what Ctrl-C may interrupt."""
    try:
        from ai_library_bot import cli

        return cli.main()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
