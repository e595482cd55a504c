package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretsAreKept(t *testing.T) {
	dir := t.TempDir()
	made, err := LoadSecrets(dir)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := LoadSecrets(dir)
	if err != nil || kept != made {
		t.Errorf("other secrets the second time: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != SecretsFile {
		t.Errorf("the directory has %v (%v)", entries, err)
	}
	info, err := os.Stat(filepath.Join(dir, SecretsFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the secrets are %v (%v)", info.Mode(), err)
	}
}

// A draft that a killed run left is no secret, and no hindrance.
func TestHalfOfTheSecretsIsNone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, SecretsDraft), []byte(`{"passport_key": "`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSecrets(dir); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, SecretsFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSecrets(dir); err == nil || !strings.Contains(err.Error(), "make clean") {
		t.Errorf("damaged secrets: %v", err)
	}
}
