"""Ask an OpenAI-compatible server for many chat completions at once, with patience.

What `server` (completions) and `judging` (scores) share: one connection, a bound on the requests
in flight, retries, time limits, and errors of one sentence. The address and the key come from
the operator's settings, never from a form.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from urllib.parse import urlsplit

import openai
from anyio.from_thread import start_blocking_portal
from openai.types.chat import ChatCompletion

from pairselect.pools.engine.contract import (
    Asker,
    GenerationFailed,
    GenerationStopped,
    Message,
    ModelUnavailable,
    ShouldStop,
)
from pairselect.pools.engine.wire import asked_seconds, checked_host, is_loopback, short

__all__ = ["Ask", "Endpoint", "Refusal", "ServerUnavailable"]

Put = Callable[[Any], None]
Notice = Callable[[str], None]
_T = TypeVar("_T")

_ASK_SECONDS = 0.25
_NOTICE_SECONDS = 5.0
_CONNECT_SECONDS = 10.0
# The wait doubles from the first to the longest, and is cut by up to half so that the requests
# in flight do not all come back at once.
_FIRST_WAIT = 0.5
_LONGEST_WAIT = 30.0
# What a server may ask for by Retry-After.
_LONGEST_ASKED_WAIT = 600.0
_MOST_IN_FLIGHT = 1000  # the client's own bound on connections


class ServerUnavailable(ModelUnavailable, GenerationFailed):
    """The server cannot be used (any more). The message is one sentence that says what to do."""


@dataclass(frozen=True)
class Refusal:
    """One request that the server will not answer, however often it is asked.

    Parameters
    ----------
    reason
        One sentence, with the server's own words cut short.
    """

    reason: str


@dataclass(frozen=True)
class Ask:
    """One chat completion to ask for.

    Parameters
    ----------
    name
        How errors speak of it.
    messages
        The turns.
    options
        The request's other fields (``seed``, ``max_tokens``, …).
    """

    name: str
    messages: tuple[Message, ...]
    options: Mapping[str, Any]


class _Garbled(Exception):
    """An answer that is no chat completion."""


class Endpoint:
    """A model on an OpenAI-compatible server.

    Redirects are not followed: a server that is asked for one address must not send the
    prompts and the key to another. Proxies of the environment are used, except to this machine.
    ``OPENAI_API_KEY`` and its like are not read: that key is another server's.

    Parameters
    ----------
    base_url
        With the version, as ``http://10.0.0.5:8000/v1``; no credentials in it.
    model
        The model's name there.
    api_key
        Sent as a bearer token. None where the server asks for none.
    concurrency
        Requests in flight, at most.
    timeout_s
        Seconds that one request may take, from first to last byte.
    attempts
        How often a request is tried in all: again after lost connections, time limits,
        garbled answers and the states 408, 409, 429 and 5xx. Eight take 45 s or so, which a
        restart of the server mostly does not exceed.
    notice
        Told in a sentence what goes wrong and is tried again, at most every five seconds.

    Raises
    ------
    ValueError
        For an address or a number that cannot be meant.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        concurrency: int = 64,
        timeout_s: float = 300.0,
        attempts: int = 8,
        notice: Notice | None = None,
    ) -> None:
        self.host = checked_host(base_url)
        if not 1 <= concurrency <= _MOST_IN_FLIGHT:
            raise ValueError(f"concurrency must lie in 1 to {_MOST_IN_FLIGHT}, got {concurrency}.")
        if attempts < 1 or not timeout_s > 0:
            raise ValueError("attempts and timeout_s must be positive.")
        self.model = model
        self._base_url = base_url
        self._api_key = api_key
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._notice = notice or (lambda message: None)
        self._next_notice = 0.0
        self._accepts: dict[str, bool] = {}
        self._system_fingerprint = "unknown"
        self._facts: Mapping[str, str] | None = None

    def describe(self, should_stop: ShouldStop | None = None) -> Mapping[str, str]:
        """Return what the server says of itself and the model, asked once, as plain strings.

        ``server`` (host and port), ``model``, ``owned_by`` (vLLM and llama.cpp put their names
        there), ``root`` (vLLM: the folder or hub id behind the name), ``max_model_len`` and
        ``system_fingerprint``; what the server does not say is ``"unknown"``.

        Raises
        ------
        ServerUnavailable
            When the server cannot be reached, refuses the key or has no such model.
        """
        if self._facts is not None:
            return self._facts
        (listed,) = self._stream(self._list_models, should_stop)
        names = [str(getattr(entry, "id", "")) for entry in listed]
        # llama.cpp answers under any name, and a pool would then name a model that never saw it
        if names and self.model not in names:
            raise ServerUnavailable(self._no_such_model(names))
        self.accepts({}, should_stop)  # for the system fingerprint, and to learn what fails
        entry = next((e for e in listed if getattr(e, "id", "") == self.model), None)
        said = {k: getattr(entry, k, None) for k in ("owned_by", "root", "max_model_len")}
        self._facts = {
            "server": self.host,
            "model": self.model,
            **{k: "unknown" if value is None else str(value) for k, value in said.items()},
            "system_fingerprint": self._system_fingerprint,
        }
        return self._facts

    def accepts(self, options: Mapping[str, Any], should_stop: ShouldStop | None = None) -> bool:
        """Tell whether the server takes these fields of a request, by one of a single token.

        Raises
        ------
        ServerUnavailable
            When a request without them is refused too.
        """
        key = json.dumps(options, sort_keys=True)
        if key not in self._accepts:
            messages = ({"role": "user", "content": "Hello"},)
            ask = Ask("that tries the server", messages, {"max_tokens": 1, **options})
            ((_, answer),) = self.answers([ask], should_stop=should_stop)
            if isinstance(answer, Refusal):
                if not options:
                    raise ServerUnavailable(answer.reason)
                self.accepts({}, should_stop)  # or it is not these fields that are the matter
            else:
                self._system_fingerprint = str(answer.system_fingerprint or "unknown")
            self._accepts[key] = not isinstance(answer, Refusal)
        return self._accepts[key]

    def answers(
        self, asks: Sequence[Ask], *, should_stop: ShouldStop | None = None
    ) -> Iterator[tuple[int, ChatCompletion | Refusal]]:
        """Yield the place of each ask in the list with its answer, as answers come.

        Every answer has a first choice with a message. Leaving the loop early, or an error,
        gives up the requests in flight.

        Raises
        ------
        GenerationStopped
            When ``should_stop()`` returns true, asked four times a second.
        ServerUnavailable
            When the server is lost for longer than the attempts last, refuses the key, or has
            no such model. What came before has been yielded.
        """

        async def work(client: openai.AsyncOpenAI, put: Put) -> None:
            waiting = iter(enumerate(asks))

            async def one_after_another() -> None:
                for place, ask in waiting:
                    put((place, await self._answer(client, ask)))

            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(asks))):
                    group.create_task(one_after_another())

        return self._stream(work, should_stop)

    def _stream(
        self,
        work: Callable[[openai.AsyncOpenAI, Put], Awaitable[None]],
        should_stop: ShouldStop | None,
    ) -> Iterator[Any]:
        """Run `work` in an event loop of its own thread; yield what it puts."""
        results: SimpleQueue[Any] = SimpleQueue()
        end = object()
        asker = Asker(should_stop, every=_ASK_SECONDS)

        async def all_of_it() -> None:
            async with self._client() as client:
                await work(client, results.put)

        with start_blocking_portal() as portal:
            future = portal.start_task_soon(all_of_it)
            future.add_done_callback(lambda _: results.put(end))
            try:
                while True:
                    asker()
                    try:
                        item = results.get(timeout=_ASK_SECONDS)
                    except Empty:
                        continue
                    if item is end:
                        break
                    yield item
            finally:
                future.cancel()
        try:
            future.result()
        except ExceptionGroup as group:
            raise _first(group) from None
        except CancelledError:  # pragma: no cover - only where the loop itself is torn down
            raise GenerationStopped from None

    def _client(self) -> openai.AsyncOpenAI:
        client = openai.AsyncOpenAI(
            base_url=self._base_url,
            api_key=self._api_key or "none",  # else the client takes the environment's
            timeout=openai.Timeout(self._timeout_s, connect=_CONNECT_SECONDS),
            max_retries=0,  # `_patiently` tells of its retries, and knows a garbled answer
            http_client=openai.DefaultAsyncHttpxClient(
                follow_redirects=False,
                trust_env=not is_loopback(self._base_url),
            ),
        )
        client.organization = client.project = None  # the environment's
        return client

    async def _list_models(self, client: openai.AsyncOpenAI, put: Put) -> None:
        """Put what /models lists; nothing where the server has no such page."""

        async def listed() -> list[Any]:
            return list((await client.models.list()).data or [])

        try:
            put(await self._patiently(listed, "for its models"))
        except openai.APIStatusError as error:
            if error.status_code in (401, 403) or 300 <= error.status_code < 400:
                raise await self._explained(client, error, "for its models") from None
            put([])

    async def _answer(self, client: openai.AsyncOpenAI, ask: Ask) -> ChatCompletion | Refusal:
        known = {"max_tokens", "temperature", "top_p", "seed", "logprobs", "top_logprobs"}
        options: dict[str, Any] = {k: v for k, v in ask.options.items() if k in known}
        extra = {k: v for k, v in ask.options.items() if k not in known}

        async def completed() -> ChatCompletion:
            return _checked(
                await client.chat.completions.create(
                    model=self.model,
                    messages=[dict(message) for message in ask.messages],  # type: ignore[misc]
                    extra_body=extra or None,
                    **options,
                )
            )

        try:
            return await self._patiently(completed, ask.name)
        except openai.APIStatusError as error:
            if error.status_code in (400, 413, 422):
                return Refusal(
                    f"The server at {self.host} refuses the request {ask.name} "
                    f"({error.status_code}: {self._words(error)})."
                )
            raise await self._explained(client, error, ask.name) from None

    async def _patiently(self, make: Callable[[], Awaitable[_T]], name: str) -> _T:
        """Await what `make` makes; where that can help, again, after a pause."""
        for attempt in range(1, self._attempts + 1):
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await make()
            except (openai.APIError, TimeoutError, _Garbled, ValueError, TypeError) as error:
                # ValueError, TypeError: the client met JSON that is none, or of another shape
                asked_wait = None
                if isinstance(error, openai.APIStatusError):
                    if error.status_code not in (408, 409, 429) and error.status_code < 500:
                        raise
                    asked_wait = asked_seconds(error.response.headers.get("retry-after"))
                what = self._trouble(error, name)
                if attempt == self._attempts:
                    raise ServerUnavailable(
                        f"{what}, {attempt} times in a row: see to the server, then start again."
                    ) from None
                wait = min(_FIRST_WAIT * 2 ** (attempt - 1), _LONGEST_WAIT)
                wait *= random.uniform(0.5, 1.0)  # noqa: S311  # nosec B311
                if asked_wait is not None:
                    wait = min(asked_wait, _LONGEST_ASKED_WAIT)
                self._tell(f"{what}; trying again in {wait:.0f} s ({attempt}/{self._attempts}).")
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    def _trouble(self, error: Exception, name: str) -> str:
        if isinstance(error, openai.APIStatusError):
            return (
                f"The server at {self.host} answers {error.status_code} to the request {name} "
                f"({self._words(error)})"
            )
        if isinstance(error, TimeoutError | openai.APITimeoutError):
            return f"The server at {self.host} took over {self._timeout_s:g} s"
        if isinstance(error, openai.APIConnectionError):
            cause = str(error.__cause__ or "").strip().rstrip(".") or "connection lost"
            return f"The server at {self.host} cannot be reached ({short(cause)})"
        return f"The server at {self.host} sent something that is no chat completion"

    async def _explained(
        self, client: openai.AsyncOpenAI, error: openai.APIStatusError, name: str
    ) -> ServerUnavailable:
        """Return the error to raise for a state that no retry mends."""
        status = error.status_code
        if status in (401, 403):
            # not the server's words: some repeat the key
            return ServerUnavailable(
                f"The server at {self.host} refuses the key ({status}): set the right one."
            )
        if 300 <= status < 400:
            target = urlsplit(error.response.headers.get("location", "")).netloc or "elsewhere"
            return ServerUnavailable(
                f"The server at {self.host} redirects to {short(target)}, which is not "
                "followed: set the address that answers itself."
            )
        if status == 404:
            names: list[str] = []
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    names = [str(entry.id) for entry in (await client.models.list()).data]
            except Exception:  # noqa: S110  # nosec B110  # what it offers is a courtesy; any failure goes without
                pass
            return ServerUnavailable(self._no_such_model(names))
        return ServerUnavailable(self._trouble(error, name) + ": see to the server.")

    def _no_such_model(self, names: Sequence[str]) -> str:
        if names and self.model not in names:
            shown = ", ".join(sorted(names)[:10]) + (" …" if len(names) > 10 else "")
            return f"The server at {self.host} has no model {self.model!r}: it offers {shown}."
        return (
            f"The server at {self.host} knows no chat completions by {self.model!r} (404): "
            "check the model's name, and that the address ends in /v1."
        )

    def _words(self, error: openai.APIStatusError) -> str:
        """Return what the server said, cut short, without the key."""
        body: Any = error.body
        for key in ("error", "message", "detail"):
            if isinstance(body, Mapping) and body.get(key):
                body = body[key]
        if isinstance(body, str):
            said = body
        else:
            said = json.dumps(body, default=str) if body else "no reason given"
        if self._api_key:
            said = said.replace(self._api_key, "[key]")
        return short(said).rstrip(".")

    def _tell(self, message: str) -> None:
        now = time.monotonic()
        if now >= self._next_notice:  # a lost server fails every request in flight
            self._next_notice = now + _NOTICE_SECONDS
            self._notice(message)


def _checked(answer: Any) -> ChatCompletion:
    """Return the answer if it has the parts that are read; the client checks hardly any."""
    try:
        content = answer.choices[0].message.content
    except (AttributeError, IndexError, TypeError):
        raise _Garbled from None
    if not isinstance(answer, ChatCompletion) or not isinstance(content, str | None):
        raise _Garbled
    return answer


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
