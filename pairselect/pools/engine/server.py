"""Sample completions on an OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ray Serve."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from pairselect.pools.engine.contract import (
    Finished,
    GenerationFailed,
    PromptTooLong,
    Request,
    Sampler,
    ShouldStop,
)
from pairselect.pools.engine.endpoint import Ask, Endpoint, Notice, Refusal, ServerUnavailable

__all__ = ["RequestRefused", "ServerGenerator", "ServerUnavailable", "server_seed"]

# vLLM and SGLang start from the model's generation_config (often top_k 20 to 50, a repetition
# penalty), llama.cpp from top_k 40 and min_p 0.05: turned off, completions are drawn from the
# model's own distribution, as in-process ones are.
PLAIN_SAMPLING: Mapping[str, Any] = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}

_MOST_SEED = 2**31 - 1
_OPENING = 40


class RequestRefused(GenerationFailed):
    """The server will not answer one request. ``place`` is its index among the requests."""

    def __init__(self, message: str, *, place: int) -> None:
        super().__init__(message)
        self.place = place


def server_seed(seed: int) -> int:
    """Return the seed that is sent for a request's: itself, where 31 bits hold it.

    llama.cpp keeps 32 bits, and takes all ones for "draw one"; others take 63.
    """
    return seed % _MOST_SEED


class ServerGenerator:
    """A `Generator` that asks a server for one completion at a time, many at once.

    Each request carries its own seed; a server's ``n`` is not used. What a seed guarantees is
    the server's affair: with batches that form by chance, the same seed gives the same text
    only up to rounding (vLLM, llama.cpp), or not at all.

    ``top_k``, ``min_p`` and ``repetition_penalty`` are sent so that the model's distribution
    is sampled as it is. A server that refuses these fields keeps its own; a notice says so, and
    the fingerprint's ``sampling``.

    Parameters
    ----------
    base_url, model, api_key, concurrency, timeout_s, attempts, notice
        See `Endpoint`.
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
        self._notice = notice or (lambda message: None)
        self._told = False
        self._endpoint = Endpoint(
            base_url,
            model,
            api_key=api_key,
            concurrency=concurrency,
            timeout_s=timeout_s,
            attempts=attempts,
            notice=notice,
        )

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """What is known of what answers: `Endpoint.describe`, the sampling, the client.

        ``weights`` is the name behind the name where the server tells (vLLM's ``root``), else
        the model's name: nobody but the server sees the weights themselves. The first use asks
        the server, and raises `ServerUnavailable` where it does not answer.
        """
        facts = self._endpoint.describe()
        root = facts["root"]
        return {
            "engine": "server",
            "name": facts["model"],
            "weights": facts["model"] if root == "unknown" else root,
            "chat_template": "the server's",
            **{key: value for key, value in facts.items() if key != "model"},
            "sampling": "plain" if self._plain(None) else "the server's defaults",
            "openai": openai.__version__,
        }

    def generate(
        self,
        requests: Sequence[Request],
        sampler: Sampler,
        *,
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Finished]:
        """Yield each completion as it ends, in any order.

        ``token_count`` is the server's (most count the end-of-sequence token), 0 where it says
        none. Without a tokenizer here no prompt is measured beforehand.

        Raises
        ------
        GenerationStopped
            When ``should_stop()`` returns true, asked four times a second, also while requests
            hang. Requests in flight are given up.
        ServerUnavailable
            See `Endpoint.answers`.
        PromptTooLong, RequestRefused
            When the server refuses a request. What came before has been yielded.
        """
        if not requests:
            return
        self._endpoint.describe(should_stop)
        options: dict[str, Any] = {
            "max_tokens": sampler.max_new_tokens,
            "temperature": sampler.temperature,
            "top_p": sampler.top_p,
            **(PLAIN_SAMPLING if self._plain(should_stop) else {}),
            # vLLM's, SGLang's and llama.cpp's name; others refuse it
            **({"ignore_eos": True} if sampler.ignore_end else {}),
        }
        asks = [
            Ask(_name(request), request.messages, {**options, "seed": server_seed(request.seed)})
            for request in requests
        ]
        for place, answer in self._endpoint.answers(asks, should_stop=should_stop):
            if isinstance(answer, Refusal):
                kind = PromptTooLong if answer.too_long else RequestRefused
                raise kind(answer.reason, place=place)
            yield _finished(requests[place], answer, place)

    def _plain(self, should_stop: ShouldStop | None) -> bool:
        plain = self._endpoint.accepts(PLAIN_SAMPLING, should_stop)
        if not plain and not self._told:
            self._told = True
            fields = ", ".join(PLAIN_SAMPLING)
            self._notice(
                f"The server at {self._endpoint.host} does not take {fields}: its own defaults "
                "for them apply."
            )
        return plain


def _name(request: Request) -> str:
    opening = " ".join(request.messages[-1]["content"].split())
    if len(opening) > _OPENING:
        opening = opening[:_OPENING] + "…"
    return f"{request.key!r} (“{opening}”)"


def _finished(request: Request, answer: ChatCompletion, place: int) -> Finished:
    choice = answer.choices[0]
    reason = choice.finish_reason
    if reason != "stop" and reason != "length":
        raise RequestRefused(
            f"The server ended the request {_name(request)} with {str(reason)[:40]!r}, which is "
            "neither the model's end nor the limit: see to the server.",
            place=place,
        )
    text = (choice.message.content or "").replace("\x00", "")
    if reason == "length":
        text = text.rstrip("\ufffd")  # a character cut in its middle
    count = getattr(answer.usage, "completion_tokens", None)
    return Finished(request.key, text, count if isinstance(count, int) else 0, reason)
