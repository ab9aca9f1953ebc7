# pmmc-check as a command: docker run --rm -v "$PWD:/work" IMAGE gate
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY pmmc_check ./pmmc_check
RUN python -m venv /opt/pmmc-check && /opt/pmmc-check/bin/pip install --no-cache-dir .

FROM python:3.12-slim
# git is for gate --changed-since; its version is that of the image's Debian
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 pmmc
COPY --from=build /opt/pmmc-check /opt/pmmc-check
ENV PATH="/opt/pmmc-check/bin:$PATH"
USER 1000
# The search kernels are compiled once, here: a container then starts at once.
RUN pmmc-check explore --acceptors 1 --leaders 1 --slots 1 --quiet
WORKDIR /work
ENTRYPOINT ["pmmc-check"]
CMD ["gate"]
