"""The settings of the door, refused when wrong."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from pairselect import env

THREE = {
    "PAIRSELECT_OIDC_ISSUER": "https://id.example.org/realms/team/",
    "PAIRSELECT_OIDC_CLIENT_ID": "pairselect",
    "PAIRSELECT_OIDC_CLIENT_SECRET": "a-secret",
}


def oidc(monkeypatch: pytest.MonkeyPatch, **given: str) -> env.Oidc | None:
    for name in env.KNOWN:
        if name.startswith("PAIRSELECT_OIDC_"):
            monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return env.oidc("PAIRSELECT_OIDC")


def test_without_a_server_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert oidc(monkeypatch) is None


def test_three_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    found = oidc(monkeypatch, **THREE)
    assert found == env.Oidc(
        "https://id.example.org/realms/team", "pairselect", "a-secret", "id.example.org", ()
    )
    assert "a-secret" not in repr(found)
    found = oidc(
        monkeypatch,
        **THREE,
        PAIRSELECT_OIDC_NAME="Team",
        PAIRSELECT_OIDC_DOMAINS="Example.org, @b.example",
    )
    assert found is not None
    assert (found.name, found.domains) == ("Team", ("example.org", "b.example"))


@pytest.mark.parametrize("lacking", sorted(THREE))
def test_some_of_the_three_are_refused(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: value for name, value in THREE.items() if name != lacking}
    with pytest.raises(ImproperlyConfigured, match=f"needs {lacking} too"):
        oidc(monkeypatch, **given)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"PAIRSELECT_OIDC_ISSUER": "http://id.example.org"}, "begins with https://"),
        ({"PAIRSELECT_OIDC_ISSUER": "id.example.org"}, "begins with https://"),
        ({"PAIRSELECT_OIDC_ISSUER": "file:///etc/passwd"}, "begins with https://"),
        ({"PAIRSELECT_OIDC_DOMAINS": "a@example.org"}, "must be domains"),
        ({"PAIRSELECT_OIDC_DOMAINS": "org"}, "must be domains"),
    ],
)
def test_a_wrong_one_is_refused_in_words(
    changed: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        oidc(monkeypatch, **THREE | changed)


@pytest.mark.parametrize("name", ["PAIRSELECT_OIDC_NAME", "PAIRSELECT_OIDC_DOMAINS"])
def test_what_means_nothing_alone_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name} means nothing without"):
        oidc(monkeypatch, **{name: "example.org"})


def test_the_only_way_in_cannot_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRSELECT_PASSWORD_LOGIN", "off")
    with pytest.raises(ImproperlyConfigured, match="switches off the only way in"):
        env.password_login("PAIRSELECT_PASSWORD_LOGIN", None)
    assert not env.password_login("PAIRSELECT_PASSWORD_LOGIN", oidc(monkeypatch, **THREE))
    monkeypatch.delenv("PAIRSELECT_PASSWORD_LOGIN")
    assert env.password_login("PAIRSELECT_PASSWORD_LOGIN", None)


def test_nobody_is_believed_without_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRSELECT_TRUSTED_PROXY", "10.0.0.2")
    assert env.trusted_proxies("PAIRSELECT_TRUSTED_PROXY", https=False) == []
    assert env.trusted_proxies("PAIRSELECT_TRUSTED_PROXY", https=True) == [
        "127.0.0.1",
        "::1",
        "10.0.0.2",
    ]
