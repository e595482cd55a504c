package main

import (
	"bytes"
	"os"
	"testing"
)

func TestTheConfigurationPageIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var now bytes.Buffer
	if err := printConfig(&now); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, now.Bytes()) {
		t.Error("docs/configuration.md is not what the parts read: bin/hearth config > docs/configuration.md")
	}
}
