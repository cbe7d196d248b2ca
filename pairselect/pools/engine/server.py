"""Sample completions on an OpenAI-compatible server: vLLM, SGLang, llama.cpp, Ray Serve."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from pairselect.pools.engine.contract import (
    Finished,
    GenerationFailed,
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
_MOST_TOKENS = 2**31 - 1  # what a database's integer holds
_OPENING = 40
_REFUSED_AT_FIRST = 8  # the first prompts, all of them: then it is not the prompts
_REFUSALS_SHOWN = 3


class RequestRefused(GenerationFailed):
    """The server answers none of the requests. ``place`` is the index of one among them."""

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
        self._answered = False
        self._refusals_shown: set[int] = set()  # hashes of their prompts
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

        A request that the server refuses (too long a prompt, a content filter) ends as an empty
        completion, ``"refused"``. Notices give the server's words for the first few prompts, and
        the number at the end.

        Raises
        ------
        GenerationStopped
            When ``should_stop()`` returns true, asked four times a second, also while requests
            hang. Requests in flight are given up.
        ServerUnavailable
            See `Endpoint.answers`.
        RequestRefused
            When the server has answered nothing yet and refuses the first eight prompts; or all,
            where they are fewer, and a mere greeting with the same options too. Then it is not
            the prompts that it refuses.
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
        # by place, not by arrival: refusals are quicker than completions
        first = list(dict.fromkeys(request.prompt_key for request in requests))[:_REFUSED_AT_FIRST]
        refused = 0
        held: list[tuple[int, Refusal]] = []  # until something is answered
        for place, answer in self._endpoint.answers(asks, should_stop=should_stop):
            read = _read(requests[place], answer)
            if isinstance(read, Refusal):
                refused += 1
                held.append((place, read))
                if not self._answered:
                    prompts = {requests[one].prompt_key for one, _ in held}
                    if len(first) == _REFUSED_AT_FIRST and prompts.issuperset(first):
                        raise RequestRefused(held[0][1].reason, place=held[0][0])
                    continue
            else:
                self._answered = True
                yield read
            yield from self._refused(requests, held)
            held.clear()
        if held:
            if not self._endpoint.accepts(dict(asks[0].options), should_stop):
                raise RequestRefused(held[0][1].reason, place=held[0][0])
            yield from self._refused(requests, held)
        if refused:
            self._notice(
                f"The server at {self._endpoint.host} refused {refused:,} of {len(requests):,} "
                "requests: their completions are empty."
            )

    def _refused(
        self, requests: Sequence[Request], refusals: Sequence[tuple[int, Refusal]]
    ) -> Iterator[Finished]:
        """Yield the empty completions; tell of the first few prompts."""
        for place, refusal in refusals:
            request, shown = requests[place], self._refusals_shown
            prompt = hash(request.prompt_key)
            if prompt not in shown and len(shown) < _REFUSALS_SHOWN:
                shown.add(prompt)
                self._notice(f"{refusal.reason} Its completion is left empty.")
            yield Finished(request.key, "", 0, "refused")

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


def _read(request: Request, answer: ChatCompletion | Refusal) -> Finished | Refusal:
    if isinstance(answer, Refusal):
        return answer
    choice = answer.choices[0]
    reason = choice.finish_reason
    if reason != "stop" and reason != "length":
        return Refusal(
            f"The server ended the request {_name(request)} with {str(reason)[:40]!r}, which is "
            "neither the model's end nor the limit."
        )
    # JSON may hold half a surrogate pair, which no database takes, as it takes no NUL
    text = (choice.message.content or "").encode("utf-8", "replace").decode().replace("\x00", "")
    if reason == "length":
        text = text.rstrip("\ufffd")  # a character cut in its middle
    count = getattr(answer.usage, "completion_tokens", None)
    count = min(max(count, 0), _MOST_TOKENS) if isinstance(count, int) else 0  # some say -1
    return Finished(request.key, text, count, reason)
