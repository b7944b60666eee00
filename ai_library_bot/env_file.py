"""The file `.env` in the folder from which the program runs."""

from __future__ import annotations

from pathlib import Path

from ai_library_bot.errors import BadSetting

ENV_FILE = ".env"
ENV_FILE_ENCODING = "utf-8-sig"  # Windows' Notepad begins a file with a byte order mark


def read_env_file() -> dict[str, str]:
    """What `.env` sets, for those who need a word of it (the language) before the settings are loaded.

    Raises BadSetting if it is there but cannot be read.
    """
    if not Path(ENV_FILE).is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return {name: value for name, value in dotenv_values(ENV_FILE, encoding=ENV_FILE_ENCODING).items() if value}
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting("env_file", path=ENV_FILE, reason=str(error)) from error
