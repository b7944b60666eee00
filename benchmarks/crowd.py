"""How much of an answer's time is the bot's own when many people ask at once.

    python -m benchmarks.crowd [PEOPLE [ROUNDS [MODEL_SECONDS [WITHIN]]]]

The bot is a process of its own, over the sample books; Telegram and the model are loopback servers of the tests in this
process. The model writes for MODEL_SECONDS at each answer; all PEOPLE ask WITHIN so many seconds, in the same moment if
that is 0, ROUNDS times. What an answer took beyond the model's time is the bot's own share, the servers' included.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bot.telegram_people import Person
from tests.bot.telegram_requests import Request
from tests.bot.telegram_server import TelegramServer
from tests.openai_server import OpenAIServer, spread

_BOOKS = Path(__file__).parent.parent / "books"
_FIRST_PERSON = 1000

_QUESTIONS = (
    "Why does the keeper of the lighthouse stop writing letters?",
    "Who wound the village clock of Wenlow?",
    "Сколько дней прослужил мост, открытый в 1955 году?",
    "Why was the village clock eight minutes slow?",
    "Кто держал голубятню на Кузнечной?",
)


def quoting(payload: dict[str, Any]) -> str:
    """A model that quotes the first sentence of the first passage it is shown."""
    shown = payload["messages"][-1]["content"]
    text = re.split(r"\n\n", shown, maxsplit=1)[1]
    sentence = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    reply = {"found": True, "sentences": [{"text": sentence, "quotes": [{"passage": 1, "quote": sentence}]}]}
    return json.dumps(reply, ensure_ascii=False)


def main(people: int = 50, rounds: int = 3, model_seconds: float = 3.0, within: float = 0.0) -> None:
    with tempfile.TemporaryDirectory() as scratch, TelegramServer(per_chat_seconds=None) as telegram:
        folder = Path(scratch)
        shutil.copytree(_BOOKS, folder / "books")
        with OpenAIServer() as model:
            model.reply = quoting
            model.fault = spread(model_seconds)
            environment = {
                name: value for name, value in os.environ.items() if not name.startswith(("TG_", "OPENAI_", "LIBRARY_"))
            }
            environment |= {
                "OPENAI_BASE_URL": model.base_url,
                "EMBEDDER": "none",
                "CACHE_BACKEND": "none",
                "TG_TOKEN": telegram.token,
                "TG_API_URL": telegram.base_url,
                "TG_PUBLIC": "true",
                "TG_QUESTIONS_PER_DAY": "1000",
                "LIBRARY_LANG": "en",
            }
            library = [sys.executable, "-m", "ai_library_bot"]
            subprocess.run([*library, "ingest"], cwd=folder, env=environment, check=True, capture_output=True)
            bot = subprocess.Popen([*library, "serve-bot"], cwd=folder, env=environment, stderr=subprocess.PIPE)
            assert bot.stderr
            try:
                bot.stderr.readline()  # it says that it is ready
                numbers = itertools.count(_FIRST_PERSON)
                _ask(telegram, [telegram.user(next(numbers))], model_seconds, 0.0)  # what loads at first
                before = _cpu(bot.pid)
                for _ in range(rounds):  # with others each time: a second question would be asked twice of the model
                    crowd = [telegram.user(next(numbers)) for _ in range(people)]
                    shares = _ask(telegram, crowd, model_seconds, within)
                    quantiles = statistics.quantiles(shares, n=20)
                    print(
                        f"{people} people: own share median {statistics.median(shares):.3f} s, "
                        f"p95 {quantiles[18]:.3f} s, longest {max(shares):.3f} s"
                    )
                used = (_cpu(bot.pid) - before) / (rounds * people)
                print(f"the bot's processor time: {1000 * used:.1f} ms an answer")
            finally:
                bot.terminate()
                print(bot.stderr.read().decode()[-2000:], end="")  # what it had to complain of
                bot.wait(30)


def _ask(telegram: TelegramServer, crowd: Sequence[Person], model_seconds: float, within: float) -> list[float]:
    """Everybody asks; the seconds beyond the model's, for each."""
    arrived: dict[int, float] = {}
    everybody = threading.Event()

    def note(request: Request) -> None:  # an answer has buttons
        if request.parameters.get("reply_markup"):
            arrived[request.parameters["chat_id"]] = time.monotonic()
            if len(arrived) == len(crowd):
                everybody.set()

    telegram.before_answer = note
    asked: dict[int, float] = {}
    for number, person in enumerate(crowd):
        time.sleep(within / len(crowd))
        asked[person.id] = time.monotonic()
        person.say(_QUESTIONS[number % len(_QUESTIONS)])
    if not everybody.wait(60):
        left_out = [person for person in crowd if person.id not in arrived]
        said = [message.text for person in left_out for message in telegram.messages(person)]
        raise SystemExit(f"{len(left_out)} got no answer within a minute, but {said}")
    return [at - asked[person] - model_seconds for person, at in arrived.items()]


def _cpu(pid: int) -> float:
    """Seconds of the processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]), *(float(argument) for argument in sys.argv[3:5]))
