import logging
from typing import Any

from django.db import Error as AnyDatabaseError
from django_tasks_db.management.commands import db_worker

from pairselect.jobs.failures import is_away, wait_for_database

logger = logging.getLogger("pairselect.jobs.worker")


class Command(db_worker.Command):
    """The task queue's own worker. One whose database goes away waits for it and goes on: ended
    and started again it would load its model anew."""

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            try:
                return super().handle(*args, **options)
            except AnyDatabaseError as problem:
                if not is_away(problem):
                    raise
                said = " ".join(str(problem).split())
                logger.warning("the database does not answer, waiting for it: %s", said)
                wait_for_database()
                logger.warning("the database answers again")
