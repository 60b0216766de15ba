# A server with the miniature models, on CPU. See docs/operating.md for GPUs.
ARG BASE=python:3.11-slim
FROM ${BASE}

ARG EXTRAS=server
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
WORKDIR /app

# The wheels of PyTorch without CUDA; for a CUDA image set TORCH_INDEX to https://pypi.org/simple.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --index-url "${TORCH_INDEX}" "torch>=2.9,<2.15" torchvision

COPY pyproject.toml README.md ./
COPY agent agent
COPY tools tools
COPY prompts prompts
COPY instructedit_models instructedit_models
RUN pip install ".[${EXTRAS}]"

RUN useradd --create-home --uid 10001 instructedit && mkdir /data && chown instructedit /data
USER instructedit
ENV INSTRUCTEDIT_WORKSPACE=/data
VOLUME /data
EXPOSE 8008
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8008/healthz', timeout=4)"]

# A container's own 127.0.0.1 cannot be reached from outside, so tokens are needed; compose.yaml passes the file.
ENTRYPOINT ["instructedit", "serve", "--host", "0.0.0.0", "--port", "8008", "--token-file", "/run/secrets/tokens"]
CMD ["--allow-host", "localhost", "--allow-host", "127.0.0.1"]
