// Package readertest gives tests the program that decodes files. A test program can be it too, but not when it looks for
// races: the decoders then take minutes to compile.
package readertest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// Program builds the document service without the race detector and is the path to it, to be reader.Options.Program.
func Program(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "document")
	if err := Build(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Build is Program for a TestMain: it writes the program to the path.
func Build(path string) error {
	out, err := exec.Command("go", "build", "-race=false", "-o", path, "hearth.internal/document/cmd/document").CombinedOutput() //nolint:noctx // the test's own time bounds it
	if err != nil {
		return fmt.Errorf("build the program that decodes files: %w: %s", err, out)
	}
	return nil
}
