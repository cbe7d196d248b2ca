"""Read by gunicorn, which `manage.py serve` starts in this folder."""

import os
import shutil
import tempfile
from typing import Any

from pairselect import env

# Who may say, by X-Forwarded-Proto, that a person came by HTTPS.
forwarded_allow_ips = ",".join(["127.0.0.1", "::1", *env.proxies("PAIRSELECT_TRUSTED_PROXY")])

# Where the processes put their counts, so that each can tell the sum: read again on a reload.
METRICS = "PROMETHEUS_MULTIPROC_DIR"
OURS = "pairselect-metrics-"
if env.token("PAIRSELECT_METRICS_TOKEN") and METRICS not in os.environ:
    os.environ[METRICS] = tempfile.mkdtemp(prefix=OURS)


def on_exit(server: Any) -> None:
    folder = os.environ.get(METRICS, "")
    if os.path.basename(folder).startswith(OURS):
        shutil.rmtree(folder, ignore_errors=True)

# A person's next answer finds the connection open; nginx keeps its own for as long.
keepalive = 75
