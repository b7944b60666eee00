"""What one cold command costs against merely importing the libraries it stands on.

python -m benchmarks.cold_start [FOLDER] [RUNS]
"""

from __future__ import annotations

import sys
import tempfile

from benchmarks.processes import LIBRARY, PYTHON, Command, compare, cpu_seconds


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else "books"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    with tempfile.TemporaryDirectory() as index:
        environment = {"FAISS_PATH": index}
        cpu_seconds(Command("library ingest", [*LIBRARY, "ingest", folder], environment))
        compare(
            [
                Command("library --help", [*LIBRARY, "--help"], environment),
                Command("library search, English", [*LIBRARY, "search", "the old clock"], environment),
                Command("library search, Russian", [*LIBRARY, "search", "старый мост через реку"], environment),
            ],
            Command("imports", [PYTHON, "-c", "import typer, rich, pydantic_settings, tantivy"], {}),
            runs,
        )


if __name__ == "__main__":
    main()
