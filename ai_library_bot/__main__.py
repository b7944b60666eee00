"""Where the `library` command begins; `python -m ai_library_bot` is the same."""

import gc
import os
import signal
import sys

_COLLECT_EVERY = 200_000  # objects; loading makes many of them and hardly any garbage

_QUICKER = {
    "OPENBLAS_NUM_THREADS": "1",  # products of our size take less time than the threads take to start
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # it would look for some in every package there is
}


def main() -> int:
    """Run the command line; loading it is part of what Ctrl-C may interrupt."""
    gc.set_threshold(_COLLECT_EVERY)
    for name, value in _QUICKER.items():
        os.environ.setdefault(name, value)
    try:
        from ai_library_bot import cli

        return cli.main()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        gc.freeze()  # or Python would look through all that is loaded once more before it ends


if __name__ == "__main__":
    sys.exit(main())
