package stores

import "testing"

// TestAKilledServersSessionsAreNoReason: they write into the log of the one that is to follow, which waits for their end.
func TestAKilledServersSessionsAreNoReason(t *testing.T) {
	c := &cluster{}
	reason := c.reason([]string{
		`LOG:  starting PostgreSQL 15.18`,
		`FATAL:  pre-existing shared memory block (key 20316160, ID 5) is still in use`,
		`HINT:  Terminate any old server processes associated with data directory "/data".`,
		`FATAL:  terminating connection due to unexpected postmaster exit`,
	})
	if !c.stillEnding(reason) {
		t.Errorf("the reason is %q", reason)
	}
	if reason := c.reason([]string{`FATAL:  data directory "/data" has wrong ownership`, `FATAL:  the database system is starting up`}); reason != `FATAL:  data directory "/data" has wrong ownership` {
		t.Errorf("the reason is %q", reason)
	}
}
