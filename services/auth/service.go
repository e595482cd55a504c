package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/seal"
)

// Config is what auth reads from the environment.
type Config struct {
	config.Service
	CodeKeys      config.Keys    `env:"CODE_KEY,required,notEmpty" secret:"true" doc:"Base64 keys of 32 bytes or more under which e-mailed codes are stored; the first is used for new ones"`
	SealPublicKey seal.PublicKey `env:"SEAL_PUBLIC_KEY,required,notEmpty" doc:"Base64 public key of notification: codes are sealed for it"`
}

// Service is the auth service.
type Service struct {
	*boot.Deps
	passwords *passwords
	codes     codebook
	documents internalapi.Document
}

// New describes the auth service to boot.
func New(cfg Config) boot.Service {
	return boot.Service{
		Name: "auth", Title: "Accounts and sessions",
		Hot: []string{liveSessionSQL, personSQL, attemptSQL, openSessionSQL, endSessionsSQL},
		Register: func(d *boot.Deps) error {
			s, err := newService(d, cfg)
			if err != nil {
				return err
			}
			s.routes()
			return nil
		},
		Background: sweep,
	}
}

func newService(d *boot.Deps, cfg Config) (*Service, error) {
	for _, key := range cfg.CodeKeys {
		if len(key) < 32 {
			return nil, errors.New("configuration: a key in HEARTH_CODE_KEY needs at least 32 bytes")
		}
	}
	if len(cfg.CodeKeys) == 0 || cfg.SealPublicKey == (seal.PublicKey{}) {
		return nil, errors.New("configuration: HEARTH_CODE_KEY and HEARTH_SEAL_PUBLIC_KEY are needed")
	}
	p, err := newPasswords(context.Background(), runtime.NumCPU())
	if err != nil {
		return nil, fmt.Errorf("passwords: %w", err)
	}
	return &Service{
		Deps: d, passwords: p, codes: codebook{keys: cfg.CodeKeys, reader: cfg.SealPublicKey}, documents: d.Calls.Document(d.Config.DocumentURL),
	}, nil
}
