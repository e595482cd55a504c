// Package stores runs a private PostgreSQL server and private Redis servers, for `make run` and for tests:
// no Docker, no configuration, nothing shared with a server that the machine already has.
//
// A server listens on 127.0.0.1 only, keeps its data and log under Options.Dir and its port from one run to the next.
// It outlives a Ctrl-C, so that services can drain first, and ends with the process that started it.
// KeepAlive starts one again that dies before that.
//
// Three things are not obvious:
//   - PostgreSQL refuses to run as root. A root caller's servers run as `postgres` or `nobody`, and where that user
//     cannot reach Options.Dir (below /root, say) their data lives under /var/tmp; Remove knows both places.
//   - A data directory belongs to one major version of PostgreSQL, so its name carries the version: pg15, pg18.
//   - Without redis-server an embedded stand-in answers. It keeps nothing once the process ends.
//
// postgres.go and redis.go are the front doors, and server.go is what both have in common. cluster.go holds PostgreSQL's
// data and settings, embedded.go the Redis stand-in. search.go finds binaries, install.go installs them. home.go says where
// data lives, account.go as whom servers run, remove.go takes all away. child.go, orphan.go, lock.go and port.go keep
// processes and ports apart.
package stores
