package system

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/nacl/box"
)

// Secrets are what an operator would keep in a vault: made once, on this machine, for this machine.
type Secrets struct {
	PassportKey      string `json:"passport_key"`
	CodeKey          string `json:"code_key"`
	ShareKey         string `json:"share_key"`
	SealPublicKey    string `json:"seal_public_key"`
	SealPrivateKey   string `json:"seal_private_key"`
	DatabasePassword string `json:"database_password"`
}

// SecretsFile is where LoadSecrets keeps them.
const SecretsFile = "secrets.json"

// SecretsDraft is what a run that is killed while it makes them may leave there.
const SecretsDraft = SecretsFile + ".new"

// NewSecrets makes fresh ones.
func NewSecrets() (Secrets, error) {
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return Secrets{}, fmt.Errorf("make a key pair: %w", err)
	}
	return Secrets{
		PassportKey: key(), CodeKey: key(), ShareKey: key(),
		SealPublicKey:  base64.StdEncoding.EncodeToString(public[:]),
		SealPrivateKey: base64.StdEncoding.EncodeToString(private[:]),
		// In a URL, so without characters that would need escaping there.
		DatabasePassword: rand.Text(),
	}, nil
}

func key() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	return base64.StdEncoding.EncodeToString(raw)
}

// LoadSecrets reads the secrets kept in the directory, or makes and keeps new ones, readable by their owner alone.
func LoadSecrets(dir string) (Secrets, error) {
	path := filepath.Join(dir, SecretsFile)
	raw, err := os.ReadFile(path) //nolint:gosec // our own directory
	if errors.Is(err, fs.ErrNotExist) {
		return keepNewSecrets(path)
	}
	if err != nil {
		return Secrets{}, fmt.Errorf("read the secrets: %w", err)
	}
	var s Secrets
	if err := json.Unmarshal(raw, &s); err != nil {
		return Secrets{}, fmt.Errorf("%s is damaged; `make clean` begins anew: %w", path, err)
	}
	return s, nil
}

func keepNewSecrets(path string) (Secrets, error) {
	s, err := NewSecrets()
	if err != nil {
		return s, err
	}
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return s, fmt.Errorf("keep the secrets: %w", err)
	}
	// Made aside and then moved into place: what a full disk or a killed run leaves must not pass for the secrets.
	draft := filepath.Join(filepath.Dir(path), SecretsDraft)
	err = os.WriteFile(draft, raw, 0o600)
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		_ = os.Remove(draft) // the error to tell is the first
		return s, fmt.Errorf("keep the secrets: %w", err)
	}
	return s, nil
}

// environ hands each part the secrets that it needs and no other.
func (s Secrets) environ(part string) []string {
	switch part {
	case "auth":
		return []string{"HEARTH_CODE_KEY=" + s.CodeKey, "HEARTH_SEAL_PUBLIC_KEY=" + s.SealPublicKey}
	case "residence":
		return []string{"HEARTH_SHARE_KEY=" + s.ShareKey, "HEARTH_SEAL_PUBLIC_KEY=" + s.SealPublicKey}
	case "notification":
		return []string{"HEARTH_SEAL_PRIVATE_KEY=" + s.SealPrivateKey}
	}
	return nil
}
