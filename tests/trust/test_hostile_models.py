"""Models and servers are the operator's to name: no request opens a file, a hub or an address."""

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings

from annotate.models import Machine
from pairselect import env
from pairselect.env import Server
from pairselect.jobs.actions import run_job
from pairselect.jobs.models import Job
from pairselect.pools.engine.contract import ModelUnavailable
from pairselect.pools.engine.loading import load_model
from pairselect.pools.models import FeatureSet, Pool, PromptSet, ScoreSet
from tests.api.conftest import program
from tests.conftest import People, make_campaign, make_pool, run_queued_jobs
from tests.pools.support import POOL, confirm, lines, send

pytestmark = pytest.mark.page

ROOT = Path(__file__).resolve().parent.parent.parent
SERVERS = {"lab": Server("http://127.0.0.1:9/v1", "sk-secret")}
# Loopback and link-local in every writing, other schemes, other users, names that resolve inward.
INWARD = [
    "http://127.0.0.1:9/v1", "http://localhost/", "http://169.254.169.254/latest/meta-data/",
    "http://[::1]:9/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1]/", "http://0x7f000001/",
    "http://2130706433/", "http://0177.0.0.1/", "http://127.1/", "http://user@127.0.0.1/",
    "http://hub.example@127.0.0.1/", "http://127.0.0.1.nip.io/", "https://localtest.me/",
    "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "//127.0.0.1/",
    "/etc", "../../etc", "~/.ssh", "evil/model", "lab2:m", "embedded:../../etc",
]  # fmt: skip


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


@pytest.mark.parametrize("model", INWARD)
def test_no_page_takes_an_address_for_a_model(model: str, people: People, admin: Client) -> None:
    """Neither for a pool, nor for scores, nor for a machine; by no page and no operation."""
    pool, caller = make_pool(), program(people.admin)
    campaign = make_campaign(people.anna)
    asked = {"prompt_set": pool.prompt_set_id, "name": "new", "completions": 4}
    sampling = {"temperature": "1", "max_new_tokens": 9, "top_p": 1, "seed": 0}
    with override_settings(PAIRSELECT_SERVERS=SERVERS, PAIRSELECT_MODELS=("lab:m",)):
        admin.post("/pools/new/", asked | sampling | {"model": [model]})
        admin.post(f"/pools/{pool.pk}/scores/", {"model": model})
        admin.post(f"/campaigns/{campaign.pk}/machines/", {"name": "m", "model": model})
        assert caller.refused("POST", "pools", asked | {"models": [model]})[0] == 422
        assert caller.refused("POST", f"pools/{pool.pk}/scores", {"model": model})[0] == 422
    assert Pool.objects.filter(name="new").count() == 0
    assert ScoreSet.objects.count() == Machine.objects.count() == Job.objects.count() == 0


@pytest.mark.parametrize("named", ["/etc", "http://169.254.169.254/", "evil/model", "lab:m"])
@override_settings(PAIRSELECT_MODEL="/the/usual")
def test_a_files_own_word_for_its_model_is_a_label(
    named: str, people: People, admin: Client
) -> None:
    """What wrote the completions of an imported pool is never opened to read them."""
    rows = lines({"prompt": "a", "completions": ["one", "two"], "model": named},
                 {"prompt": "b", "completions": ["three", "four"], "model": named})  # fmt: skip
    upload = send(admin, rows)
    confirm(admin, upload, POOL | {"model": named})
    assert run_job(Job.objects.get(kind="import_pool").pk)
    pool = Pool.objects.get()
    assert pool.completions.count() == 4
    caller = program(people.admin)
    caller.post(f"pools/{pool.pk}/features", {"kinds": ["last_token"]})
    used = set(FeatureSet.objects.filter(pool=pool).values_list("model", flat=True))
    assert used == {"/the/usual"}


def test_a_prompts_address_is_fetched_by_nobody(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts are texts, whatever they name; nothing that imports opens a connection."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    upload = send(admin, lines(*({"prompt": one} for one in INWARD)))
    confirm(admin, upload, {"kind": "prompts", "prompts-prompt": "prompt"})
    run_queued_jobs()
    assert PromptSet.objects.get().prompt_count == len(INWARD)


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://a.example/v1", "http://user@a.example/v1", "//a.example/v1",
     "http://user:word@a.example/v1", "http://a.example/v1?to=b", "http://a.example@b.example/v1",
     "javascript:alert(1)", "http:///v1", "http://a b/v1", "http://a.example:99999999/v1"],
)  # fmt: skip
def test_an_operators_server_is_a_plain_address(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAIRSELECT_SERVERS", f"lab={address}")
    with pytest.raises(ImproperlyConfigured, match="PAIRSELECT_SERVERS"):
        env.servers("PAIRSELECT_SERVERS")


class Run:
    """What a pickled file does to whoever reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "model.pkl", "model.safetensors"]
)
def test_no_weights_that_run_code_are_read(name: str, tmp_path: Path) -> None:
    hit, folder = tmp_path / "hit", tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama", "vocab_size": 8}')
    (folder / name).write_bytes(pickle.dumps(Run(hit)))
    with pytest.raises(ModelUnavailable):
        load_model(str(folder), data_dir=tmp_path)
    assert not hit.exists()


def test_no_code_that_comes_with_a_model_is_run(tmp_path: Path, tiny_model: str) -> None:
    """A model whose folder brings its own Python is refused, or read without it."""
    hit, folder = tmp_path / "hit", tmp_path / "model"
    subprocess.run(["cp", "-r", tiny_model, str(folder)], check=True)
    code = f"from pathlib import Path\nPath({str(hit)!r}).touch()\n"
    (folder / "evil.py").write_text(code + "class C: pass\n")
    config = (folder / "config.json").read_text().rstrip()
    assert config.endswith("}")
    own = '"auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.C"}'
    kind = config.replace('"model_type": "llama"', '"model_type": "unheard-of"')
    (folder / "config.json").write_text(f"{kind[:-1]}, {own}}}")
    with pytest.raises(ModelUnavailable):
        load_model(str(folder), data_dir=tmp_path)
    assert not hit.exists()


READERS = {"torch.load", "pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load",
           "dill.load", "dill.loads", "shelve.open", "marshal.loads", "marshal.load", "yaml.load",
           "yaml.unsafe_load", "eval", "exec", "os.system", "os.popen"}  # fmt: skip


def product() -> list[Path]:
    return [p for top in ("pairselect", "annotate") for p in (ROOT / top).rglob("*.py")]


def calls(path: Path) -> list[ast.Call]:
    return [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]


def test_nothing_reads_a_format_that_runs_code() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in product()
        for call in calls(path)
        if (name := ast.unparse(call.func)) in READERS
    ]
    assert found == []
    for path in product():
        text = path.read_text()
        assert "allow_pickle=True" not in text, path
        assert "shell=True" not in text, path
        assert "trust_remote_code=True" not in text, path


def test_every_model_is_loaded_as_weights_alone() -> None:
    """`trust_remote_code` is off by the word wherever a model, a configuration or a tokenizer is
    loaded by a name, and weights are safetensors; a GGUF file comes with the installation only."""
    seen = 0
    for path in product():
        for call in calls(path):
            if not ast.unparse(call.func).endswith(".from_pretrained"):
                continue
            seen += 1
            given = {k.arg: ast.unparse(k.value) for k in call.keywords}
            if "gguf_file" in given:
                assert path.name == "embedded.py"
                continue
            assert given.get("trust_remote_code") == "False", (path, call.lineno)
            if "ForCausalLM" in ast.unparse(call.func) or "Classification" in ast.unparse(
                call.func
            ):
                assert given.get("use_safetensors") == "True", (path, call.lineno)
    assert seen >= 6


def test_the_web_process_cannot_load_a_model_at_all(tmp_path: Path) -> None:
    """transformers and torch are not even imported there: no page can reach their readers."""
    code = (
        "import pairselect.wsgi, sys\nfrom django.urls import get_resolver\n"
        "get_resolver().url_patterns\nfrom pairselect.api.service import api\n"
        "api.get_openapi_schema()\n"
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env={"PAIRSELECT_DATA_DIR": str(tmp_path), "PATH": ""},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
