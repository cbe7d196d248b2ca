"""What runs elsewhere, held to what is here: Dockerfile, compose, units, documented settings."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from pairselect import env, health

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
UNITS = sorted((ROOT / "deploy").glob("*.service"))
OTHERS = {"POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB", "HF_HOME", "PATH"}
OTHERS |= {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "TORCH_INDEX"}


def known(name: str) -> bool:
    ours = name in env.KNOWN or name == "DATABASE_URL" or name.startswith(env.SERVER_KEY)
    return ours or name in OTHERS or name.startswith("PIP_")


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    content = yaml.safe_load((ROOT / name).read_text())
    assert isinstance(content, dict)
    return content


def parse(words: list[str]) -> str:
    """Read ``python manage.py COMMAND …`` as the command would, and return its name."""
    at = words.index("manage.py")
    name, *rest = words[at + 1 :]
    app = get_commands()[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    command.create_parser("manage.py", name).parse_args(rest)
    return name


def example(*, commented: bool) -> dict[str, str]:
    found = {}
    for line in (ROOT / ".env.example").read_text().splitlines():
        if match := re.fullmatch(r"(#?)([A-Z_]+)=(.*)", line):
            if match[1] and not commented:
                continue
            found[match[2]] = match[3]
    return found


def check_deploy(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={"PATH": "", "PAIRSELECT_DATA_DIR": str(folder), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_documented_environment_passes_djangos_checks(tmp_path: Path) -> None:
    settings = example(commented=False)
    assert settings["PAIRSELECT_HTTPS"] == "true"
    checked = check_deploy(tmp_path, **settings)
    assert checked.stderr == ""
    # The one that is silenced says why in settings.py.
    assert checked.stdout == "System check identified no issues (1 silenced).\n"
    assert checked.returncode == 0


def test_the_checks_do_look(tmp_path: Path) -> None:
    checked = check_deploy(tmp_path, PAIRSELECT_ALLOWED_HOSTS="label.example.org")
    assert checked.returncode == 1
    assert "security.W008" in checked.stderr  # no redirect to HTTPS


def test_a_wrong_environment_is_one_sentence(tmp_path: Path) -> None:
    checked = check_deploy(tmp_path, PAIRSELECT_HTTPS="true")
    assert checked.returncode == 1
    assert checked.stderr == (
        "Error: PAIRSELECT_HTTPS=true needs the names that people type into the browser in "
        "PAIRSELECT_ALLOWED_HOSTS, such as 'label.example.org'.\n"
    )


def test_every_variable_of_the_example_is_known() -> None:
    assert {name for name in example(commented=True) if not known(name)} == set()
    assert "PAIRSELECT_SECRET_KEY" in example(commented=True)
    assert "PAIRSELECT_SECRET_KEY" not in example(commented=False)


def test_the_proxies_reach_gunicorn() -> None:
    shown = "import runpy; print(runpy.run_path('gunicorn.conf.py')['forwarded_allow_ips'])"
    settings = example(commented=False)
    said = subprocess.run(
        [sys.executable, "-c", shown],
        cwd=ROOT,
        env=settings | {"PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"127.0.0.1,::1,{settings['PAIRSELECT_TRUSTED_PROXY']}\n"


def test_compose_runs_commands_that_exist() -> None:
    services = compose()["services"]
    assert set(services) == {"web", "worker-gpu", "worker-cpu", "db", "migrate"}
    ran = {
        name: parse(shlex.split(service["command"]))
        for name, service in services.items()
        if name != "db"
    }
    assert ran == {
        "web": "serve",
        "worker-gpu": "db_worker",
        "worker-cpu": "db_worker",
        "migrate": "migrate",
    }
    from django.conf import settings

    queues = [services[f"worker-{queue}"]["command"] for queue in ("gpu", "cpu")]
    for queue, command in zip(settings.TASKS["default"]["QUEUES"], queues, strict=True):
        assert f"--queue-name {queue}" in command


def test_compose_starts_nothing_before_the_tables_are_there() -> None:
    services = compose()["services"]
    migrated = {"migrate": {"condition": "service_completed_successfully"}}
    for name in ("web", "worker-gpu", "worker-cpu"):
        assert services[name]["depends_on"] == migrated
    assert services["migrate"]["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert "healthcheck" in services["db"]


def variables(service: dict[str, Any]) -> Iterator[str]:
    yield from service.get("environment", {})
    yield from re.findall(r"\$\{(\w+)", str(service))


def test_compose_names_known_variables_and_no_secret() -> None:
    for name in ("compose.yaml", "compose.gpu.yaml"):
        for service in compose(name)["services"].values():
            assert {one for one in variables(service) if not known(one)} == set()
            password = service.get("environment", {}).get("POSTGRES_PASSWORD", "${")
            assert password.startswith("${")


def test_every_service_shares_the_data_folder() -> None:
    services = compose()["services"]
    image_folder = re.search(r"PAIRSELECT_DATA_DIR=(\S+)", DOCKERFILE)
    assert image_folder
    for name in ("web", "worker-gpu", "worker-cpu", "migrate"):
        assert services[name]["environment"]["PAIRSELECT_DATA_DIR"] == image_folder[1]
        assert services[name]["volumes"] == [f"data:{image_folder[1]}"]


def test_the_gpu_file_changes_a_service_that_exists() -> None:
    for name, service in compose("compose.gpu.yaml")["services"].items():
        assert name in compose()["services"]
        assert set(service) == {"deploy"}


def test_compose_builds_with_arguments_that_the_image_has() -> None:
    for argument in compose()["services"]["web"]["build"]["args"]:
        assert f"ARG {argument}=" in DOCKERFILE


def copied() -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_the_image_lets_in_what_it_copies_and_nothing_else() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in ignored
    assert sorted(copied()) == sorted(line[1:] for line in ignored if line.startswith("!"))


def test_the_image_has_all_that_the_app_runs_on(tmp_path: Path) -> None:
    app, data = tmp_path / "app", tmp_path / "data"
    app.mkdir()
    for source in copied():
        path = ROOT / source
        if path.is_dir():
            shutil.copytree(path, app / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, app / source)
    page = (
        "import pairselect.wsgi, sys\n"
        "from django.test import Client\n"
        "assert Client().get('/login/', headers={'host': 'localhost'}).status_code == 200\n"
        "assert Client().get('/health/').status_code == 200\n"
        "print([name for name in ('torch', 'transformers', 'tests') if name in sys.modules])\n"
        "from django.contrib.staticfiles.finders import find\n"
        "print(find('css/app.css') is not None)"
    )
    run = {"PATH": "", "PAIRSELECT_DATA_DIR": str(data), "PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.run(
        [sys.executable, "-c", page], cwd=app, env=run, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout == "[]\nTrue\n"


def test_the_dockerfile_is_in_line_with_the_code() -> None:
    command = re.search(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    assert command
    assert parse(yaml.safe_load(command[1])) == "serve"
    assert f":8000{health.ADDRESS}'" in DOCKERFILE
    named = re.findall(r"^(?:ENV |    )([A-Z_]+)=", DOCKERFILE, re.MULTILINE)
    assert {"PAIRSELECT_DATA_DIR", "HF_HOME", "PATH"} <= set(named)
    assert {name for name in named if not known(name)} == set()
    assert re.search(r"^USER [1-9]\d*$", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_run_commands_that_exist(unit: Path) -> None:
    lines = dict(line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line)
    started = shlex.split(lines["ExecStart"].replace("%i", "gpu"))
    assert started[0] == f"{lines['WorkingDirectory']}/.venv/bin/python"
    assert parse(started) == ("serve" if "web" in unit.name else "db_worker")
    data = example(commented=True)["PAIRSELECT_DATA_DIR"]
    assert lines["ReadWritePaths"] == data
    assert os.path.isabs(lines["EnvironmentFile"])


def test_there_are_units_to_look_at() -> None:
    assert [unit.name for unit in UNITS] == ["pairselect-web.service", "pairselect-worker@.service"]
