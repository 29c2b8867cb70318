# Headrace beside its queues:
#   docker build -t headrace .
#   docker run -v "$PWD/headrace.yaml:/app/headrace.yaml:ro" -v "$PWD/functions:/app/functions:ro" -v headrace:/var/lib/headrace headrace
# Functions that need packages of their own: build an image from this one and install them with pip, or name layers.
ARG PYTHON_VERSION=3.12

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY config config
COPY handlers handlers
COPY pollers pollers
COPY examples examples
RUN python -m venv /opt/headrace \
 && /opt/headrace/bin/python -m pip install --no-cache-dir --constraint constraints.txt pip \
 && /opt/headrace/bin/python -m pip install --no-cache-dir --constraint constraints.txt --build-constraint constraints.txt ".[boto3,documentdb,otel]"

FROM python:${PYTHON_VERSION}-slim
LABEL org.opencontainers.image.title="headrace" \
      org.opencontainers.image.description="AWS Lambda event source mappings outside Lambda" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/headrace/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN groupadd --system --gid 10001 headrace \
 && useradd --system --uid 10001 --gid headrace --home-dir /var/lib/headrace --create-home --shell /usr/sbin/nologin headrace
COPY --from=build /opt/headrace /opt/headrace
# What must survive: runtime.checkpoints: sqlite:/var/lib/headrace/checkpoints.db, and runtime.state: /var/lib/headrace
VOLUME /var/lib/headrace
WORKDIR /app
USER 10001:10001
# 8787: health, metrics, console. 9001: Lambda's API and function URLs, if lambda_api is configured.
EXPOSE 8787 9001
# Lambda's own stop: no new receive, running invocations finish, messages that were not begun go back, exit 0.
STOPSIGNAL SIGTERM
# Health means progress. The probe needs no token and stays on loopback, also where runtime.http.host is 0.0.0.0.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8787, timeout=4); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["headrace"]
CMD ["run"]
