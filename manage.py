#!/usr/bin/env python
"""Django's command line for pairselect. What an operator can mend is said in one sentence."""

import os
import sys


def main() -> None:
    # NumPy and SciPy each bring a BLAS with threads of its own. Two such pools waiting for each
    # other on two cores made a 128 × 128 Cholesky factorisation a thousand times slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # torch's threads wait for each other several thousand times a second, spinning. Where others
    # want the cores too, as a web server beside its worker does, each wait then lasts a time slice:
    # a model on two busy cores ran at a ninth of its speed. Asleep they cost a tenth when idle.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pairselect.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import Error as AnyDatabaseError

    from pairselect.env import TRUE

    debug = os.environ.get("PAIRSELECT_DEBUG", "").strip().lower() in TRUE
    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, AnyDatabaseError, UnicodeEncodeError) as problem:
        if debug or "--traceback" in sys.argv:
            raise
        sys.exit(f"Error: {sentence(problem)}")


def sentence(problem: Exception) -> str:
    """What is wrong, for the person at the terminal."""
    from django.core.exceptions import ImproperlyConfigured

    if isinstance(problem, ImproperlyConfigured):
        return str(problem)
    if isinstance(problem, UnicodeEncodeError):
        if any("\ud800" <= character <= "\udfff" for character in problem.object):
            return f"{problem.object!r} is not valid UTF-8: give a name that is."
        return f"This terminal shows {problem.encoding} only: set PYTHONIOENCODING=utf-8."
    said = " ".join(str(problem).split()).rstrip(".?")
    # PostgreSQL's codes for a table and for a column that are not there; SQLite has words only.
    missing = getattr(problem.__cause__, "sqlstate", None) in ("42P01", "42703")
    if missing or "no such table" in said or "no such column" in said:
        return "The database is not up to date: run manage.py migrate first."
    return f"The database cannot be used: {said}."


if __name__ == "__main__":
    main()
