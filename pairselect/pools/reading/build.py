"""One record becomes one row: its prompt, and for pools and preferences its completions."""

from collections.abc import Callable
from typing import Any

from pairselect.pools.reading import values
from pairselect.pools.reading.columns import Columns
from pairselect.pools.reading.rows import (
    MOST_COMPLETIONS,
    BadRow,
    CompletionRow,
    PoolRow,
    PromptRow,
    Record,
)
from pairselect.pools.reading.values import Message

Build = Callable[[Record], PromptRow | PoolRow]

TEXT_KEYS = ("text", "response", "content", "completion", "answer", "output")
MODEL_KEYS = ("model", "model_name")
SCORE_KEYS = ("score", "overall_score", "rating", "reward")


def builder(columns: Columns, characters: int) -> Build:
    """The function that makes a row of a record, or raises ``BadRow``."""
    build = _Builder(columns, characters)
    of_kind: dict[str, Build] = {
        "prompts": build.prompts,
        "pool": build.pool,
        "preferences": build.preferences,
    }
    return of_kind[columns.kind]


class _Builder:
    def __init__(self, columns: Columns, characters: int) -> None:
        self.columns = columns
        self.characters = characters
        self.has_more = bool(columns.id or columns.metadata)

    def prompts(self, record: Record) -> PromptRow:
        messages = self._messages(self._cell(record, self.columns.prompt), record)
        if messages[-1]["role"] == "assistant":
            # A conversation that was answered: what precedes the answer is the prompt.
            messages = messages[:-1]
        return self._row(messages, record)

    def pool(self, record: Record) -> PoolRow:
        columns = self.columns
        prompt = self._row(self._messages(self._cell(record, columns.prompt), record), record)
        if columns.texts:
            cells = [self._cell(record, name) for name in columns.texts]
        else:
            cells = values.listed(
                self._cell(record, columns.completions), "The column of completions"
            )
        if not cells:
            raise BadRow("The list of completions is empty.")
        if len(cells) > MOST_COMPLETIONS:
            raise BadRow(
                f"The prompt has {len(cells):,} completions; keep at most {MOST_COMPLETIONS:,}."
            )
        scores = self._beside(record, columns.scores, "scores", len(cells))
        models = self._beside(record, columns.models, "models", len(cells))
        return PoolRow(
            prompt,
            [
                self._completion(cell, place, models[place - 1], scores[place - 1])
                for place, cell in enumerate(cells, start=1)
            ],
        )

    def preferences(self, record: Record) -> PoolRow:
        columns = self.columns
        chosen = self._answered(self._cell(record, columns.chosen), "The chosen completion")
        rejected = self._answered(self._cell(record, columns.rejected), "The rejected completion")
        if columns.prompt:
            cell = self._cell(record, columns.prompt)
            messages = self._messages(cell, record)
            if values.is_dialogue(cell):
                # The prompt ends with "Assistant:", so the answers begin with a space.
                for answers in (chosen, rejected):
                    answers[0]["content"] = answers[0]["content"].strip()
        else:
            messages = self._with_system(_common(chosen, rejected), record)
        prompt = self._row(messages, record)
        scores: tuple[float | None, float | None] = (1.0, 0.0)
        if columns.score_chosen:
            scores = (
                values.score(record.get(columns.score_chosen), "The score of chosen"),
                values.score(record.get(columns.score_rejected), "The score of rejected"),
            )
            if (scores[0] is None) != (scores[1] is None):
                raise BadRow("Only one of the two scores is there; give both or neither.")
            if scores[0] is None:
                scores = (1.0, 0.0)
        return PoolRow(
            prompt,
            [
                CompletionRow(_answer(chosen, messages, "chosen"), score=scores[0]),
                CompletionRow(_answer(rejected, messages, "rejected"), score=scores[1]),
            ],
        )

    def _cell(self, record: Record, name: str) -> Any:
        try:
            return record[name]
        except KeyError:
            raise BadRow(f'There is no "{name}" in the row.') from None

    def _row(self, messages: list[Message], record: Record) -> PromptRow:
        if not messages or messages[-1]["role"] != "user":
            raise BadRow(
                "The prompt does not end with a user's message: there is nothing to answer."
            )
        if not self.has_more:
            return PromptRow(messages)
        return PromptRow(
            messages,
            values.identifier(record.get(self.columns.id)),
            values.metadata(record.get(self.columns.metadata), self.characters),
        )

    def _messages(self, value: Any, record: Record) -> list[Message]:
        if values.is_conversation(value):
            messages = values.conversation(value, "The prompt", self.characters)
        elif values.is_dialogue(value):
            messages = values.dialogue(value, "The prompt", self.characters)
            if messages[-1] == {"role": "assistant", "content": ""}:  # the place of the answer
                messages.pop()
        else:
            messages = [
                {"role": "user", "content": values.text(value, "The prompt", self.characters)}
            ]
        if self.columns.input:
            self._put_below(messages, record.get(self.columns.input))
        return self._with_system(messages, record)

    def _put_below(self, messages: list[Message], value: Any) -> None:
        if value is None or value == "":
            return
        below = values.text(value, "The input", self.characters, may_be_empty=True)
        if below.strip() and messages:
            content = f"{messages[-1]['content']}\n\n{below}"
            messages[-1]["content"] = values.text(content, "The prompt", self.characters)

    def _with_system(self, messages: list[Message], record: Record) -> list[Message]:
        value = record.get(self.columns.system) if self.columns.system else None
        if value is None or value == "":
            return messages
        system = {
            "role": "system",
            "content": values.text(value, "The system prompt", self.characters),
        }
        if messages and messages[0]["role"] == "system":
            if messages[0] != system:
                raise BadRow("The row has two system prompts, which differ.")
            return messages
        return [system, *messages]

    def _beside(self, record: Record, name: str, what: str, count: int) -> list[Any]:
        """Values beside the completions: a list of as many, or one name for all."""
        value = record.get(name) if name else None
        if value is None or value == "":
            return [None] * count
        if what == "models" and isinstance(value, str) and not value.lstrip().startswith("["):
            return [value] * count
        beside = values.listed(value, f"The column of {what}")
        if len(beside) != count:
            raise BadRow(f"The row has {count} completions and {len(beside)} {what}.")
        return beside

    def _completion(self, cell: Any, place: int, model: Any, score: Any) -> CompletionRow:
        what = f"Completion {place}"
        value = cell
        if isinstance(cell, dict):
            value = next((cell[key] for key in TEXT_KEYS if cell.get(key) is not None), None)
            model = _first(cell, MODEL_KEYS, model)
            score = _first(cell, SCORE_KEYS, score)
        elif isinstance(cell, list):
            value = _only_answer(values.conversation(cell, what, self.characters), what)
        return CompletionRow(
            values.text(value, what, self.characters, may_be_empty=True),
            values.model_name(model, f"The model of completion {place}"),
            values.score(score, f"The score of completion {place}"),
        )

    def _answered(self, value: Any, what: str) -> list[Message]:
        """Messages that end with the assistant's: a conversation, or a text alone."""
        if isinstance(value, dict):
            value = [value]
        if values.is_conversation(value):
            return values.conversation(value, what, self.characters)
        if values.is_dialogue(value):
            return values.dialogue(value, what, self.characters)
        content = values.text(value, what, self.characters, may_be_empty=True)
        return [{"role": "assistant", "content": content}]


def _first(cell: dict[str, Any], keys: tuple[str, ...], otherwise: Any) -> Any:
    return next((cell[key] for key in keys if cell.get(key) is not None), otherwise)


def _common(chosen: list[Message], rejected: list[Message]) -> list[Message]:
    """The messages with which both begin; the last of each is its completion."""
    length = 0
    for one, other in zip(chosen[:-1], rejected[:-1], strict=False):
        if one != other:
            break
        length += 1
    if not length:
        raise BadRow(
            "Chosen and rejected have no prompt in common; choose the column of the prompt."
        )
    return chosen[:length]


def _answer(messages: list[Message], prompt: list[Message], which: str) -> str:
    """The completion: what follows the prompt, where the prompt is repeated before it."""
    what = f"The {which} completion"
    bare = prompt[1:] if prompt[0]["role"] == "system" else prompt
    for beginning in (prompt, bare):
        if len(messages) > 1 and messages[: len(beginning)] == beginning:
            return _only_answer(messages[len(beginning) :], what)
    return _only_answer(messages, what)


def _only_answer(messages: list[Message], what: str) -> str:
    if len(messages) != 1 or messages[0]["role"] != "assistant":
        raise BadRow(f"{what} is not one message of the assistant's after the prompt.")
    return messages[0]["content"]
