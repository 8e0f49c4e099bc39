# The service, and dbmate for the release step. Runs as a user without privileges, on a read-only root
# file system.
#
#     docker build -t gatepost .
#     docker run --rm -e DATABASE_URL gatepost gatepost migrate     # or: … gatepost dbmate up
#     docker run --read-only -e DATABASE_URL -e GATEPOST_SERVICE_KEYS -p 8000:8000 gatepost

# A tag can come to mean another image; one that is known by its digest cannot:
#     docker build --build-arg PYTHON=3.13.9-slim-trixie@sha256:… .
ARG PYTHON=3.13.9-slim-trixie

FROM python:${PYTHON} AS build
# social: with the packages that sign-in with providers and the jwt plugin need; admin: with these,
# and those of the page /admin
ARG REQUIREMENTS=service
WORKDIR /build
COPY requirements requirements
RUN python -m venv /opt/gatepost \
    && /opt/gatepost/bin/pip install --no-cache-dir --require-hashes -r requirements/${REQUIREMENTS}.txt \
    && pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY db db
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/gatepost/bin/pip install --no-cache-dir --no-index --no-deps wheels/*.whl \
    && /opt/gatepost/bin/pip uninstall --yes pip setuptools

FROM python:${PYTHON}
# gatepost migrate writes one small temporary file; /dev/shm is writable when nothing else is.
ENV PATH=/opt/gatepost/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/dev/shm \
    DBMATE_NO_DUMP_SCHEMA=true \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /srv/gatepost
COPY --from=build /opt/gatepost /opt/gatepost
# for `dbmate up` without options, which looks for ./db/migrations
COPY db db
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/livez', timeout=2)"]
CMD ["gatepost", "serve"]
