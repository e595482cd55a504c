# The whole of Hearth in one container, for trying it out: see compose.yaml.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /out/hearth ./dev/cmd/hearth

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
# The directory is there before the volume is: a new volume takes over its owner, and would be root's otherwise.
RUN useradd --system --create-home --home-dir /var/lib/hearth hearth && install -d -o hearth -g hearth /var/lib/hearth/.dev
COPY --from=build /out/hearth /usr/local/bin/hearth
USER hearth
WORKDIR /var/lib/hearth
EXPOSE 8080 8081
STOPSIGNAL SIGINT
ENTRYPOINT ["hearth", "run"]
