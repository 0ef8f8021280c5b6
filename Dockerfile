# syntax=docker/dockerfile:1
# Torch from the registry is the CUDA build; it runs on the CPU where the container is given no GPU.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/gaitkeeper
WORKDIR /src
COPY requirements.lock .
RUN /opt/gaitkeeper/bin/pip install -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY models models
COPY training training
COPY weights weights
COPY client client
RUN /opt/gaitkeeper/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/gaitkeeper /opt/gaitkeeper
RUN useradd --system --uid 10001 --no-create-home gaitkeeper && install -d -o gaitkeeper /data
ENV PATH=/opt/gaitkeeper/bin:$PATH PYTHONDONTWRITEBYTECODE=1 \
    GAITKEEPER_HOST=0.0.0.0 GAITKEEPER_DATA_DIR=/data
USER gaitkeeper
VOLUME /data
EXPOSE 8000
HEALTHCHECK --start-period=60s --interval=30s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["gaitkeeper", "serve"]
