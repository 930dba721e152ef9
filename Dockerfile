# One image for each service: docker build --build-arg SERVICE=reception .
# `--target gateway` makes the gateway's, and the one that makes the demo stores.
ARG BASE_IMAGE=python:3.12-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /tabling
COPY requirements.lock .
RUN python -m venv .venv \
 && .venv/bin/pip install --no-cache-dir --require-hashes --no-deps --requirement requirements.lock
COPY protos protos
COPY scripts/generate scripts/generate
RUN .venv/bin/python scripts/generate

FROM ${BASE_IMAGE} AS base
ENV PATH=/tabling/.venv/bin:$PATH PYTHONPATH=/tabling:/tabling/gen PYTHONUNBUFFERED=1 TABLING_DATA=/data
RUN install --directory --owner 10001 --group 10001 /data
WORKDIR /tabling
COPY --from=build /tabling/.venv .venv
COPY --from=build /tabling/gen gen
COPY services/__init__.py services/subscriptions.py services/
COPY services/chassis services/chassis

FROM base AS gateway
COPY envoy envoy
COPY services/local services/local
RUN python -m compileall -q gen services
USER 10001:10001
CMD ["python", "-m", "services.local.gateway_main"]

FROM base AS service
ARG SERVICE
ENV SERVICE=${SERVICE}
COPY services/operations services/operations
COPY services/${SERVICE} services/${SERVICE}
RUN python -m compileall -q gen services
USER 10001:10001
CMD ["sh", "-c", "exec python -m services.$SERVICE"]
