// Package readertest gives tests the program that decodes files. A test program can be it too, but not when it looks for
// races: the decoders then take minutes to compile.
package readertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Variable names a program in the environment that is built already, without the race detector.
const Variable = "TEST_READER"

// Program is the path to a program without the race detector that decodes files, to be reader.Options.Program: the one in
// the environment, or the document service, built for it.
func Program(t testing.TB) string {
	t.Helper()
	if program := os.Getenv(Variable); program != "" {
		return program
	}
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
