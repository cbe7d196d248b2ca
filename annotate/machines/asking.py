"""Questions to a machine on one of the operator's servers. Not for the web process."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from openai.types.chat import ChatCompletion

from annotate.machines.prompt import Question, again, confidence, messages_of, read
from pairselect.pools.engine.contract import ShouldStop
from pairselect.pools.engine.endpoint import Ask, Endpoint, Refusal

_LOGPROBS: dict[str, Any] = {"logprobs": True, "top_logprobs": 20}
_WORD_TOKENS, _REASON_TOKENS = 8, 160
_ECHO = 100


@dataclass(frozen=True)
class Reply:
    """What came back for one question, and what it took.

    Parameters
    ----------
    choice
        None where there is no answer that can be read.
    reason
        The machine's own; without a choice, why there is none.
    confidence
        Its probability of the choice, where the server tells.
    seconds
        From asked to answered, both tries and the waiting before a retry among them.
    requests, tokens_read, tokens_written
        Answered by the server, and as it counts them.
    """

    choice: str | None
    reason: str = ""
    confidence: float | None = None
    seconds: float = 0.0
    requests: int = 0
    tokens_read: int = 0
    tokens_written: int = 0


class _Timed(list[Ask]):
    """Asks that know when each was taken up: the endpoint takes one when there is room for it."""

    def __iter__(self) -> Iterator[Ask]:
        self.taken: list[float] = []
        for ask in super().__iter__():
            self.taken.append(time.monotonic())
            yield ask


def replies(
    questions: Sequence[Question], endpoint: Endpoint, *, should_stop: ShouldStop | None = None
) -> Iterator[tuple[int, Reply]]:
    """Yield the place of each question with its reply, as they come.

    Asked at temperature 0. A reply that cannot be read is asked for once more. A second such
    one, and a request that the server refuses (too long a text), end without a choice.

    Raises
    ------
    GenerationStopped, ServerUnavailable
        See `Endpoint.answers`.
    """
    if not questions:
        return
    logprobs = _LOGPROBS if endpoint.accepts(_LOGPROBS, should_stop) else {}
    asks = _Timed(
        Ask(
            one.name,
            messages_of(one),
            {
                "temperature": 0,
                "max_tokens": _REASON_TOKENS if one.with_reason else _WORD_TOKENS,
                **logprobs,
            },
        )
        for one in questions
    )
    unread: list[tuple[int, Reply]] = []
    seconds_tries = _Timed()
    for place, answer in endpoint.answers(asks, should_stop=should_stop):
        reply = _reply(questions[place], answer, since=asks.taken[place])
        if reply.choice is not None or isinstance(answer, Refusal):
            yield place, reply
            continue
        said = (answer.choices[0].message.content or "")[:_ECHO]
        turns = (
            *asks[place].messages,
            {"role": "assistant", "content": said},
            {"role": "user", "content": again(questions[place])},
        )
        seconds_tries.append(Ask(asks[place].name, turns, asks[place].options))
        unread.append((place, reply))
    for second, answer in endpoint.answers(seconds_tries, should_stop=should_stop):
        place, first = unread[second]
        reply = _reply(questions[place], answer, since=seconds_tries.taken[second])
        yield (
            place,
            Reply(
                reply.choice,
                reply.reason,
                reply.confidence,
                first.seconds + reply.seconds,
                first.requests + reply.requests,
                first.tokens_read + reply.tokens_read,
                first.tokens_written + reply.tokens_written,
            ),
        )


def _reply(question: Question, answer: ChatCompletion | Refusal, *, since: float) -> Reply:
    seconds = time.monotonic() - since
    if isinstance(answer, Refusal):
        return Reply(None, answer.reason, seconds=seconds, requests=1)
    choice = answer.choices[0]
    text, usage = choice.message.content or "", answer.usage
    spent: dict[str, Any] = {
        "seconds": seconds,
        "requests": 1,
        "tokens_read": (usage.prompt_tokens or 0) if usage else 0,
        "tokens_written": (usage.completion_tokens or 0) if usage else 0,
    }
    found = read(text, question.choices)
    if found is None:
        return Reply(None, f"The reply cannot be read: “{text[:_ECHO].strip()}”.", **spent)
    logprobs: Any = getattr(choice, "logprobs", None)
    tokens = getattr(logprobs, "content", None) or []
    return Reply(
        found.choice,
        # cut off at the limit, it is the half of a sentence
        found.reason if choice.finish_reason == "stop" else "",
        confidence(tokens, found.at, found.choice, question.choices),
        **spent,
    )
