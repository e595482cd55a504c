package stores

import (
	"errors"
	"net"
	"testing"
)

var errTaken = errors.New("taken")

func isTaken(err error) bool { return errors.Is(err, errTaken) }

func TestStartOnMovesFromATakenPort(t *testing.T) {
	squatter, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer squatter.Close()
	first := squatter.Addr().(*net.TCPAddr).Port
	var tried []int
	check(t, startOn(first, func(port int) error {
		tried = append(tried, port)
		if port == first {
			return errTaken
		}
		return nil
	}, isTaken))
	if len(tried) != 2 {
		t.Errorf("it tried %v", tried)
	}
}

func TestStartOnStaysWithAPortThatIsFreeAfterAll(t *testing.T) {
	first, err := freePort()
	check(t, err)
	var tried []int
	check(t, startOn(first, func(port int) error {
		tried = append(tried, port)
		if len(tried) == 1 {
			return errTaken
		}
		return nil
	}, isTaken))
	if len(tried) != 2 || tried[1] != first {
		t.Errorf("it tried %v, first %d", tried, first)
	}
}

func TestStartOnGivesUp(t *testing.T) {
	broken := errors.New("broken")
	if err := startOn(1, func(int) error { return broken }, isTaken); !errors.Is(err, broken) {
		t.Errorf("another error gave %v", err)
	}
	tries := 0
	err := startOn(1, func(int) error { tries++; return errTaken }, isTaken)
	if !isTaken(err) || tries != 6 {
		t.Errorf("%d tries gave %v", tries, err)
	}
}
