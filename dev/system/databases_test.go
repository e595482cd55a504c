package system

import (
	"net"
	"strings"
	"testing"
)

func TestStoresOutOfReachAreNamedInOneSentence(t *testing.T) {
	for address, want := range map[string]string{
		"swordfish": "DATABASE_URL is not an address such as",
		"host=127.0.0.1 port=1 password=swordfish":   "DATABASE_URL is not an address such as",
		"postgres://ada:sword%fish@127.0.0.1/x":      "DATABASE_URL is not an address such as",
		"redis://:swordfish@127.0.0.1:1/0":           "DATABASE_URL is not an address such as",
		"postgres://ada:swordfish@127.0.0.1:1/x":     "PostgreSQL at postgres://ada:xxxxx@127.0.0.1:1/x does not let us in: connection refused",
		"postgres://ada:swordfish@nowhere.invalid/x": "PostgreSQL at postgres://ada:xxxxx@nowhere.invalid/x does not let us in: ",
	} {
		_, err := connect(t.Context(), address)
		sentence(t, err, want)
	}
	for address, want := range map[string]string{
		"swordfish@127.0.0.1":                                               "REDIS_URL is not an address such as",
		"redis://:sword%fish@127.0.0.1":                                     "REDIS_URL is not an address such as",
		"redis://:swordfish@127.0.0.1:1/0":                                  "the Redis at 127.0.0.1:1 does not answer: connection refused",
		"redis://:swordfish@127.0.0.1:1/0,redis://:swordfish@127.0.0.1:2/0": "the Redis at 127.0.0.1:1 does not answer: connection refused",
		"redis://:swordfish@" + notRedis(t):                                 "the Redis at ",
	} {
		sentence(t, CheckRedis(t.Context(), address), want)
	}
}

func sentence(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
		return
	}
	if strings.Contains(err.Error(), "fish") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the password or more than a line: %v", err)
	}
}

// notRedis hangs up on whoever comes.
func notRedis(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}
