package stores

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Ports are taken from below the range that kernels use for outgoing connections. In that range a client that keeps
// trying to reach a stopped server can be given the server's own port, and then keeps it from starting again.
const (
	firstPort = 20000
	lastPort  = 31999
)

var errNoPort = errors.New("no free port was found on 127.0.0.1 between 20000 and 31999")

func freePort() (int, error) {
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if portFree(port) {
			return port, nil
		}
	}
	return 0, errNoPort
}

// Listen listens on a free port of that range, for what is to be found at its address again after it was stopped.
func Listen() (net.Listener, error) {
	for range 200 {
		listener, err := net.Listen("tcp", address(firstPort+rand.IntN(lastPort-firstPort+1)))
		if err == nil {
			return listener, nil
		}
	}
	return nil, errNoPort
}

func portFree(port int) bool {
	listener, err := net.Listen("tcp", address(port))
	if err != nil {
		return false
	}
	listener.Close()
	return true
}

func address(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// startOn starts on this port, or on another where somebody was quicker: between the choice and the start it is anybody's.
// The same port is tried again if it is free after all; our own look at it may have lingered in a program being started.
func startOn(port int, start func(port int) error, taken func(error) bool) error {
	for tries := 0; ; tries++ {
		err := start(port)
		if err == nil || !taken(err) || tries == 5 {
			return err
		}
		if portFree(port) {
			continue
		}
		if port, err = freePort(); err != nil {
			return err
		}
	}
}

// A portFile remembers a store's port, so that a URL noted during one run works in the next.
type portFile string

func (h *home) portFile(name string) portFile {
	return portFile(filepath.Join(h.dir, name+".port"))
}

// choose prefers the remembered port, as long as nobody else took it. A test's port is not remembered: it would take the
// place of the lasting one.
func (f portFile) choose(opts Options) (int, error) {
	if opts.Ephemeral {
		return freePort()
	}
	if port := f.read(); port != 0 && portFree(port) {
		return port, nil
	}
	return freePort()
}

func (f portFile) read() int {
	text, err := os.ReadFile(string(f))
	if err != nil {
		return 0
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || port < 1 || port > 65535 {
		return 0
	}
	return port
}

func (f portFile) remember(opts Options, port int) error {
	if opts.Ephemeral {
		return nil
	}
	return os.WriteFile(string(f), []byte(strconv.Itoa(port)+"\n"), 0o644)
}
