# syntax=docker/dockerfile:1
# Build:  docker build --build-arg COMMIT=$(git rev-parse HEAD) -t nextloop .
# Run:    docker run --rm -p 8080:8080 -v "$PWD/models:/models:ro" nextloop
ARG SWIFT_IMAGE=swift:6.3-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${SWIFT_IMAGE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl-dev zlib1g-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The manifest alone first: dependencies are fetched again only when it changes.
COPY Package.swift ./
RUN swift package resolve
COPY Sources Sources
COPY Tests Tests
COPY scripts/build scripts/build
ARG COMMIT=unknown
RUN NEXTLOOP_COMMIT=${COMMIT} scripts/build nextloop \
    && install -D -s .build/release/nextloop /out/nextloop

FROM ${RUNTIME_IMAGE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin nextloop
COPY --from=build /out/nextloop /usr/local/bin/nextloop
COPY models /models
USER 10001:10001
EXPOSE 8080
ENV NEXTLOOP_HOST=0.0.0.0 \
    NEXTLOOP_PORT=8080 \
    NEXTLOOP_REGISTRY=/models \
    NEXTLOOP_MODEL=room-service
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=5s --retries=3 \
    CMD ["/usr/local/bin/nextloop", "probe"]
ENTRYPOINT ["/usr/local/bin/nextloop"]
CMD ["serve"]
