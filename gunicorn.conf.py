"""Read by gunicorn, which `manage.py serve` starts in this folder."""

from pairselect import env

# Who may say, by X-Forwarded-Proto, that a person came by HTTPS.
forwarded_allow_ips = ",".join(["127.0.0.1", "::1", *env.proxies("PAIRSELECT_TRUSTED_PROXY")])
