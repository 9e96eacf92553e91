# One image for all services in docker-compose.yml; each service sets its own command.
FROM python:3.12.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
RUN python -m venv --without-pip /opt/venv
WORKDIR /app
# For Kubernetes: --build-arg REQUIREMENTS=deploy/kubernetes/requirements.lock
ARG REQUIREMENTS=requirements.lock
COPY ${REQUIREMENTS} requirements.lock
# All files are verified against their hashes, and nothing is built from source.
RUN pip --python /opt/venv/bin/python install --require-hashes --only-binary :all: --requirement requirements.lock
COPY . .
RUN pip --python /opt/venv/bin/python install --no-deps --no-build-isolation --no-index --editable . \
    && /opt/venv/bin/ecommerce-platform --help >/dev/null
# The running container is read-only and cannot compile. Some packages contain files that Python 3 cannot compile.
RUN /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib /app/ecommerce_platform /app/dashboards || true

FROM python:3.12.12-slim-bookworm
RUN groupadd --gid 10001 ecommerce \
    && useradd --uid 10001 --gid ecommerce --home-dir /tmp --no-create-home --shell /usr/sbin/nologin ecommerce \
    && install --directory --mode 0700 --owner ecommerce --group ecommerce /data \
    && pip uninstall --yes --quiet --root-user-action ignore pip
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# Root owns the code, and only /data and /tmp are written to, so the container can be read-only.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    DAGSTER_HOME=/app \
    DAGSTER_DISABLE_TELEMETRY=1 \
    ECOMMERCE_DATA_DIR=/data
WORKDIR /app
USER 10001:10001
VOLUME /data
CMD ["ecommerce-platform", "--help"]
