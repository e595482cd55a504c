# The whole of Hearth in one container, for trying it out: see compose.yaml.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /out/hearth ./dev/cmd/hearth

FROM debian:bookworm-slim
RUN useradd --system --create-home --home-dir /var/lib/hearth hearth
COPY --from=build /out/hearth /usr/local/bin/hearth
USER hearth
WORKDIR /var/lib/hearth
EXPOSE 8080 8081
STOPSIGNAL SIGINT
ENTRYPOINT ["hearth", "run"]
