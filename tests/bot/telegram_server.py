"""A server that speaks Telegram's Bot API on this machine and keeps Telegram's rules.

In a test:

    with TelegramServer() as server:
        anna = server.user(1, language_code="ru")
        session = AiohttpSession(api=TelegramAPIServer.from_base(server.base_url))
        bot = Bot(server.token, session=session)
        ...                                                      # the bot polls
        anna.say("/start")
        hello = await server.wait_for(lambda: server.last(anna))
        assert hello.links == ()
        anna.press(hello, "Help")

It lives in a thread of its own, so both tests that are coroutines and tests with a bot in another process can use it.
As a process of its own it prints its base URL; what is typed then is said to the bot, or presses the button that says
so, and what the bot sends is printed:

    python -m tests.bot.telegram_server
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from tests.bot.telegram_chats import Chat, Draft, File, Message
from tests.bot.telegram_faults import Fault, Raw
from tests.bot.telegram_methods import METHODS
from tests.bot.telegram_people import Group, Person
from tests.bot.telegram_requests import Request, answer, received, response
from tests.bot.telegram_rules import Json, Refusal, bad
from tests.bot.telegram_updates import Updates

T = TypeVar("T")

TOKEN = "1000001:a-token-for-tests-that-opens-nothing"

_LARGEST_REQUEST = 2**27


class TelegramServer:
    """Listens on a free port as long as it is entered.

    In each chat the bot may write a message every `per_chat_seconds`, and `burst` of them at once, before it gets 429;
    None lets it write as fast as it likes.
    """

    def __init__(
        self, *, token: str = TOKEN, per_chat_seconds: float | None = 1.0, burst: int = 20, port: int = 0
    ) -> None:
        self.token = token
        self.per_chat_seconds = per_chat_seconds
        self.burst = burst
        self.port = port
        self.requests: list[Request] = []
        """Everything the bot asked, in order; fetching a file is the method `download`."""
        self.people: dict[int, Person] = {}
        self.chats: dict[int, Chat] = {}
        self.drafts: list[Draft] = []
        """Every draft the bot has shown, in order."""
        self.files: dict[str, File] = {}
        self.answers: dict[str, Json] = {}
        """How the bot answered callback and inline queries, by their id."""
        self.open_queries: set[str] = set()
        self.settings: dict[tuple[str, str, str], Json] = {}
        """What the bot set, such as ("commands", "default", "ru")."""
        self.before_answer: Callable[[Request], object] | None = None
        """Called on the server's thread when a request was carried out and the bot does not know it yet."""
        self._faults: deque[tuple[str | None, Fault]] = deque()
        self._is_down = False
        self._waiting: list[tuple[Callable[[], Any], Future[Any]]] = []
        self._queries = 5_000_000_000
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="telegram-server", daemon=True)
        self.updates: Updates = Updates(self._carry_out, self._changed)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # The tests' side: making

    def user(
        self, user_id: int, *, first_name: str = "Anna", language_code: str | None = "en", username: str | None = None
    ) -> Person:
        """Somebody who has started the bot some time ago, so that it may write to them."""
        person = Person(self, user_id, first_name, language_code, username)
        named = {"first_name": first_name} | ({"username": username} if username else {})
        self.people[user_id] = person
        self.chats[user_id] = Chat(user_id, {"type": "private"} | named)
        return person

    def group(
        self, group_id: int, title: str = "Book club", *, bot_status: str = "member", admins: tuple[Person, ...] = ()
    ) -> Group:
        """A supergroup, `group_id` below zero, with the bot in it unless its status says otherwise."""
        members = {person.id: "administrator" for person in admins}
        self.chats[group_id] = Chat(group_id, {"type": "supergroup", "title": title}, bot_status, members)
        return Group(group_id, title)

    def fail(self, fault: Fault, *, times: int = 1, method: str | None = None) -> None:
        """The next so many requests, of that method or of any, get this."""
        self.act(lambda: self._faults.extend([(method.lower() if method else None, fault)] * times))

    @contextmanager
    def down(self) -> Iterator[None]:
        """Nothing comes through: connections are cut, what waits for updates is cut, no webhook is called."""

        def set_down(is_down: bool) -> None:
            self._is_down = self.updates.paused = is_down
            if is_down:
                self.updates.end_poll("down")
            else:
                self.updates.resume()

        self.act(lambda: set_down(True))
        try:
            yield
        finally:
            self.act(lambda: set_down(False))

    # The tests' side: looking

    def messages(self, chat: Person | Group | int) -> list[Message]:
        """The bot's messages in the chat as they stand now, in order."""
        return [message for message in self.history(chat) if message.by_bot]

    def history(self, chat: Person | Group | int) -> list[Message]:
        """All messages in the chat as they stand now, in order."""
        chat_id = chat if isinstance(chat, int) else chat.id
        return self._on_loop(lambda: list(self.chats[chat_id].messages.values()))

    def last(self, chat: Person | Group | int) -> Message | None:
        """The bot's last message in the chat."""
        return messages[-1] if (messages := self.messages(chat)) else None

    def now(self, message: Message) -> Message:
        """The message as it stands now."""
        current = self._on_loop(lambda: self.chats[message.chat_id].messages.get(message.id))
        assert current is not None, "the message was deleted"
        return current

    def calls(self, method: str) -> list[Request]:
        """What the bot asked of one method, in order."""
        return [request for request in list(self.requests) if request.method.lower() == method.lower()]

    async def wait_for(self, predicate: Callable[[], T | None], seconds: float = 60) -> T:
        """What the predicate gives as soon as that is true; it is asked whenever something happens at the server."""
        future = self._watch(predicate)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
        except TimeoutError:
            raise AssertionError(self._so_far(seconds)) from None

    def wait(self, predicate: Callable[[], T | None], seconds: float = 60) -> T:
        """The same for a test that is no coroutine."""
        try:
            return self._watch(predicate).result(seconds)
        except TimeoutError:
            raise AssertionError(self._so_far(seconds)) from None

    # For people and methods

    def act(self, action: Callable[[], T]) -> T:
        """Does something in the server's thread and has everybody who waits look again."""

        def acted() -> T:
            result = action()
            self._changed()
            return result

        return self._on_loop(acted)

    def chat(self, chat_id: Any) -> Chat:
        if chat_id is None or chat_id == "":
            raise bad("chat_id is empty")
        if chat_id not in self.chats:
            raise bad("chat not found")
        return self.chats[chat_id]

    def keep_file(
        self, kind: str, name: str, content: bytes, *, size: int | None = None, width: int = 0, height: int = 0
    ) -> File:
        size = len(content) if size is None else size
        file = File(f"{kind}-{len(self.files)}", kind, name, content, size, width, height)
        self.files[file.id] = file
        return file

    def new_query(self) -> str:
        self._queries += 1
        self.open_queries.add(str(self._queries))
        return str(self._queries)

    # The server

    async def _listen(self) -> None:
        application = web.Application(client_max_size=_LARGEST_REQUEST)
        application.router.add_route("*", "/bot{token}/{method}", self._asked)
        application.router.add_get("/file/bot{token}/{path:.+}", self._asked_for_file)
        self._runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        await self.updates.close()
        await self._runner.cleanup()
        await asyncio.sleep(0)  # the loop lets go of their sockets

    async def _asked(self, incoming: web.Request) -> web.Response:
        return await self._answered(await received(incoming), incoming)

    async def _asked_for_file(self, incoming: web.Request) -> web.Response:
        return await self._answered(Request("download", {"path": incoming.match_info["path"]}), incoming)

    async def _answered(self, request: Request, incoming: web.Request) -> web.Response:
        self.requests.append(request)
        self._changed()
        result = await self._result(request, incoming.match_info["token"])
        if not isinstance(result, Raw):
            request.answer = answer(result)
        if self.before_answer:
            self.before_answer(request)
        self._changed()
        return response(result, incoming)

    async def _result(self, request: Request, token: str) -> Any:
        if self._is_down:
            return Raw(None)
        if token != self.token:
            return Refusal(401, "Unauthorized")
        try:
            result = await self._done(request)
        except Refusal as refusal:
            result = refusal
        return Raw(None) if self._is_down else result

    async def _done(self, request: Request) -> Any:
        async def act() -> Any:
            return await self._carry_out(request.method, request.parameters)

        for entry in self._faults:
            if entry[0] in (None, request.method.lower()):
                self._faults.remove(entry)
                return await entry[1](act)
        return await act()

    async def _carry_out(self, name: str, parameters: Json) -> Any:
        if name.lower() == "getupdates":
            return await self.updates.get(parameters)
        if name == "download":
            return self._download(parameters["path"])
        method = METHODS.get(name.lower())
        if method is None:
            raise Refusal(404, "Not Found: method not found")
        return method(self, parameters)

    def _download(self, path: str) -> Raw:
        for file in self.files.values():
            if file.path == path:
                return Raw(file.content, content_type="application/octet-stream")
        raise Refusal(404, "Not Found")

    def _on_loop(self, action: Callable[[], T]) -> T:
        if threading.current_thread() is self._thread:
            return action()
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(action())
            except BaseException as error:  # noqa: BLE001  # it belongs to the thread that asked
                future.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return future.result(30)

    def _watch(self, predicate: Callable[[], T | None]) -> Future[T]:
        future: Future[T] = Future()
        self.act(lambda: self._waiting.append((predicate, future)))
        return future

    def _changed(self) -> None:
        for waiting in list(self._waiting):
            predicate, future = waiting
            value: Any = None
            failure: Exception | None = None
            try:
                value = predicate()
            except Exception as error:  # noqa: BLE001  # it belongs to the test that waits
                failure = error
            if not (value or failure or future.cancelled()):
                continue
            self._waiting.remove(waiting)
            if future.set_running_or_notify_cancel():
                if failure:
                    future.set_exception(failure)
                else:
                    future.set_result(value)

    def _so_far(self, seconds: float) -> str:
        asked = [f"{request.method} {request.parameters} → {request.answer}" for request in self.requests[-10:]]
        return "\n".join([f"it did not happen in {seconds} seconds; the last requests were", *asked])


def main() -> None:
    parser = argparse.ArgumentParser(description="A loopback server that speaks Telegram's Bot API.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--language", default="en", help="of the person who writes to the bot")
    options = parser.parse_args()
    with suppress(KeyboardInterrupt), TelegramServer(port=options.port, per_chat_seconds=None) as server:
        person = server.user(1, language_code=options.language)
        shown: dict[int, Message] = {}

        def show(request: Request) -> None:
            for message in server.messages(person):
                if shown.get(message.id) != message:
                    shown[message.id] = message
                    sys.stdout.write(f"{message.text}\n{message.labels or ''}\n")
            sys.stdout.flush()

        server.before_answer = show
        sys.stdout.write(f"{server.base_url}\n{server.token}\n")
        sys.stdout.flush()
        for line in sys.stdin:
            last = server.last(person)
            if last and line.strip() in last.labels:
                person.press(last, line.strip())
            else:
                person.say(line.strip())


if __name__ == "__main__":
    main()
