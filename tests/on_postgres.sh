#!/usr/bin/env bash
# Run a command with DATABASE_URL of a PostgreSQL of its own, which lives as long as the command:
#
#     tests/on_postgres.sh make test-postgres
#
# Debian's package `postgresql` is enough; nothing of a server that runs already is touched.
set -euo pipefail

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb)") || {
    echo "No PostgreSQL here: install the package postgresql." >&2
    exit 1
}
folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# PostgreSQL refuses to run as root.
as_server() { "$@"; }
if [ "$(id -u)" = 0 ]; then
    chown postgres "$folder"
    as_server() { (cd "$folder" && setpriv --reuid postgres --regid postgres --init-groups "$@"); }
fi

stop() {
    as_server "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap stop EXIT

as_server "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
# What a crash of the machine would lose is thrown away after the tests anyhow.
as_server "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w start -o "-h 127.0.0.1 -p $port -k $folder \
    -c fsync=off -c full_page_writes=off -c max_connections=300" >/dev/null || {
    cat "$folder/log" >&2
    exit 1
}
as_server "$bin/createdb" -h 127.0.0.1 -p "$port" -U postgres ps
DATABASE_URL="postgres://postgres@127.0.0.1:$port/ps" "$@"
