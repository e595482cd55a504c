//go:build linux

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"hearth.internal/dev/system"
)

// resident is the memory of a process, in KiB: what it has now, or at the most had.
func resident(t *testing.T, pid int, what string) int {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), what+":")
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), "kB")))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestUploadsKeepMemoryFlat: a file of 25 MiB passes through gateway and service without being held by either. What else a
// part does at that moment can make an attempt look large, but nothing makes a file that is held look small.
func TestUploadsKeepMemoryFlat(t *testing.T) {
	for range attempts {
		if passesThrough(t) {
			return
		}
	}
	t.Errorf("in %d attempts a part has grown by more than half of the file", attempts)
}

func passesThrough(t *testing.T) bool {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := start(t, func(o *system.Options) {
		o.Processes, o.Program = true, program
		// What is held is what counts, and not what waits for the collector: that grows with all that a program has at hand.
		o.Environ = append(o.Environ, "HEARTH_TRACE_RATIO=0", "GOGC=20")
	})
	ada := w.join(t, "Ada")
	line := []byte("The boiler's serial number is 4711.\n")
	file := bytes.Repeat(line, 25<<20/len(line))
	for range 3 { // whatever is opened once
		ada.upload("notes.txt", file[:256<<10])
	}
	parts := []string{system.GatewayName, "document"}
	before := map[string]int{}
	for _, part := range parts {
		before[part] = resident(t, w.PartPID(part), "VmHWM")
	}
	ada.upload("all.txt", file)
	flat := true
	for _, part := range parts {
		grown := resident(t, w.PartPID(part), "VmHWM") - before[part]
		t.Logf("%s: %d KiB before, %d KiB more after", part, before[part], grown)
		flat = flat && grown <= len(file)>>10/2 // with the race detector, which multiplies what is allocated
	}
	return flat
}
