"""An export in each format, read by its trainer's own dataset code.

For the trainers that the tests do not install: their wheels are fetched by name, without the
hundred packages that they train with, and what their dataset code needs is put beside them. Two
compiled packages that it imports and never calls, torchao and torchaudio, are empty modules here.
Each row must come back with its own prompt and texts, on the side that it was exported on.
"""

import argparse
import importlib.abc
import importlib.machinery
import json
import os
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import export

PACKAGES = {
    "axolotl": "axolotl==0.19.0",
    "llama-factory": "llamafactory==0.9.5",
    "openrlhf": "openrlhf==0.11.2",
    "torchtune": "torchtune==0.6.1",
}
NEEDED = (
    *("addict==2.4.0", "antlr4-python3-runtime==4.9.3", "blobfile==3.3.0", "colorama==0.4.6"),
    *("fire==0.7.1", "loguru==0.7.3", "omegaconf==2.4.0", "peft==0.21.2", "pylatexenc==2.11"),
    *("sentencepiece==0.2.3", "termcolor==3.2.0", "tiktoken==0.14.0", "lxml==6.0.2"),
)
EMPTY = ("torchao", "torchaudio")
MODEL = "embedded:smollm2-135m"
LONGEST = 4096  # tokens
SIDES = ("chosen", "rejected")

Row = dict[str, Any]
Read = tuple[str, str]  # the conversation that ends in the chosen text, and in the rejected one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=400)
    parser.add_argument("--labels-per-pair", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--words", type=int, default=60, help="of a completion, on average")
    parser.add_argument("--folder", type=Path, help="keeps what is installed; else it is removed")
    parser.add_argument("--child", choices=["fill", *PACKAGES], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child == "fill":
        export.fill(options)
    elif options.child:
        print(check(options.folder, options.child))
    elif options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
        run(options.folder.resolve())
    else:
        with tempfile.TemporaryDirectory() as name:
            run(Path(name))


def run(folder: Path) -> None:
    environment = os.environ | {
        "PAIRSELECT_DATA_DIR": str(folder / "data"),
        "DJANGO_SETTINGS_MODULE": "pairselect.settings",
        "HF_HOME": str(folder / "cache"),
    }
    environment.pop("DATABASE_URL", None)

    def python(*words: str) -> None:
        subprocess.run([sys.executable, *words], env=environment, check=True)

    same = ("-m", "benchmarks.loaders", *sys.argv[1:], "--folder", str(folder))
    if not (folder / "data").exists():
        python("manage.py", "migrate", "--verbosity", "0")
        python(*same, "--child", "fill")
    (folder / "exports").mkdir(exist_ok=True)
    install(folder / "beside", NEEDED)
    for name, package in PACKAGES.items():
        install(folder / name, (package,))
        target = folder / "exports" / name
        if not target.exists():
            words = ("export_dataset", "bench", "--format", name, "--output", str(target))
            python("manage.py", *words, "--extras")
        python(*same, "--child", name)


def install(folder: Path, packages: Sequence[str]) -> None:
    """Without what they say that they need."""
    if folder.exists():
        return
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--target", str(folder), *packages], check=True)


def check(folder: Path, name: str) -> str:
    """Read the export by the trainer's code, in a process that has nothing else on its path."""
    import django

    django.setup()
    from django.conf import settings

    from pairselect.pools.engine.loading import load_tokenizer

    tokenizer = load_tokenizer(MODEL, data_dir=settings.PAIRSELECT_DATA_DIR)
    sys.meta_path.insert(0, Empty())
    sys.path += [str(folder / name), str(folder / "beside")]
    made = folder / "exports" / name
    lines = (made / "train.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    found = READERS[name](made, tokenizer)
    assert len(found) == len(rows), f"{len(found)} of {len(rows)} rows"
    for row, sides in zip(rows, found, strict=True):
        asked, *texts = texts_of(row)
        for said, text, other in zip(sides, texts, reversed(texts), strict=True):
            _, prompt, answer = said.partition(asked)
            assert prompt, (asked, said)
            assert text in answer, (text, said)
            assert other not in answer, (other, said)
    return f"{PACKAGES[name]:<24} read {len(found):,} of {len(rows):,} rows, each on its side"


def texts_of(row: Row) -> tuple[str, str, str]:
    """The last thing asked, the chosen text and the rejected one, as they stand in the file."""
    turns = row.get("prompt") or row.get("messages") or row.get("conversations")
    ends = [row[side][-1] if isinstance(row[side], list) else row[side] for side in SIDES]
    last = (turns or row["chosen"][:-1])[-1]
    asked, chosen, rejected = (one.get("content") or one["value"] for one in (last, *ends))
    return asked, chosen, rejected


def read_axolotl(made: Path, tokenizer: Any) -> list[Read]:
    from axolotl.prompt_strategies.dpo.chat_template import default
    from axolotl.utils.dict import DictDefault

    asked = DictDefault({"datasets": [{}], "chat_template": "tokenizer_default"})
    transform = default(asked)
    transform = transform[0] if isinstance(transform, tuple) else transform
    rows = [transform(row, tokenizer=tokenizer) for row in table(made)]
    return [(row["prompt"] + row["chosen"], row["prompt"] + row["rejected"]) for row in rows]


def read_llama_factory(made: Path, tokenizer: Any) -> list[Read]:
    from llamafactory.data.converter import get_dataset_converter
    from llamafactory.data.parser import get_dataset_list

    names = json.loads((made / "dataset_info.json").read_text())
    (one,) = get_dataset_list([name for name in names if not name.endswith("-test")], str(made))
    assert one.ranking
    convert = get_dataset_converter(one.formatting, one, types.SimpleNamespace(media_dir=""))
    found = []
    for row in map(convert, table(made)):
        before = "\n".join(turn["content"] for turn in row["_prompt"])
        chosen, rejected = (f"{before}\n{turn['content']}" for turn in row["_response"])
        found.append((chosen, rejected))
    return found


def read_openrlhf(made: Path, tokenizer: Any) -> list[Read]:
    from openrlhf.datasets.reward_dataset import RewardDataset

    class Strategy:
        class args:  # noqa: N801
            class data:  # noqa: N801
                prompt_key, chosen_key, rejected_key = "prompt", "chosen", "rejected"
                apply_chat_template, tokenizer_chat_template = True, None

        def print(self, *said: Any) -> None: ...

    for is_dpo in (True, False):
        data = RewardDataset(
            table(made), tokenizer, LONGEST, Strategy(), is_dpo=is_dpo, num_processors=1
        )
        found = [(tokenizer.decode(row[0][0]), tokenizer.decode(row[2][0])) for row in data]
    return found


def read_torchtune(made: Path, tokenizer: Any) -> list[Read]:
    from torchtune.datasets._preference import preference_dataset

    class Tokenizer:
        """What torchtune asks of one: the ids of a conversation, and which are the prompt's."""

        def tokenize_messages(self, messages: Any) -> tuple[list[int], list[bool]]:
            ids: list[int] = []
            masked: list[bool] = []
            for message in messages:
                more = tokenizer(f"{message.role}: {message.text_content}\n")["input_ids"]
                ids += more
                masked += [message.masked] * len(more)
            return ids, masked

    data = preference_dataset(
        Tokenizer(), source="json", data_files=str(made / "train.jsonl"), split="train"
    )
    found = []
    for row in data:
        for side in ("chosen", "rejected"):
            learned = [label for label in row[f"{side}_labels"] if label != -100]
            assert 0 < len(learned) < len(row[f"{side}_labels"])
        found.append(tuple(tokenizer.decode(row[f"{side}_input_ids"]) for side in SIDES))
    return found


def table(made: Path) -> Any:
    from datasets import load_dataset

    return load_dataset("json", data_files=str(made / "train.jsonl"), split="train")


class Anything:
    """Stands for a class that is imported and never called."""

    def __class_getitem__(cls, item: Any) -> type:
        return cls


class EmptyModule(types.ModuleType):
    __version__ = "0.9"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Anything,), {})


class Empty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name.split(".")[0] in EMPTY:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        return EmptyModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__path__ = []


READERS: dict[str, Callable[[Path, Any], list[Read]]] = {
    "axolotl": read_axolotl,
    "llama-factory": read_llama_factory,
    "openrlhf": read_openrlhf,
    "torchtune": read_torchtune,
}


if __name__ == "__main__":
    main()
