import pytest
from django.db import OperationalError, connection
from django.test import Client, override_settings


def test_a_probe_is_answered_by_any_name_and_without_https(db: None) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True, ALLOWED_HOSTS=["label.example.org"]):
        answered = Client(headers={"host": "10.0.0.7:8000"}).get("/health/")
        elsewhere = Client(headers={"host": "label.example.org"}).get("/login/")
    assert (answered.status_code, answered.content) == (200, b"ok\n")
    assert elsewhere.status_code == 301
    assert answered.cookies == {}


def test_a_database_that_is_away_is_said(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError("could not connect to server at 10.0.0.9")

    with monkeypatch.context() as patched:
        patched.setattr(connection, "cursor", away)
        answered = Client().get("/health/")
    assert answered.status_code == 503
    assert answered.content == b"The database does not answer.\n"  # and not where it is
