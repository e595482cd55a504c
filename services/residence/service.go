package residence

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"hearth.internal/pkg/access"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/delta"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/seal"
)

// Config is the service's configuration.
type Config struct {
	config.Service
	ShareKey      config.Keys    `env:"SHARE_KEY,required,notEmpty" secret:"true" doc:"Base64 key of 32 bytes or more that share codes are sealed and share packages signed with; another key ends the codes that are out"`
	SealPublicKey seal.PublicKey `env:"SEAL_PUBLIC_KEY,required,notEmpty" doc:"Base64 public key of notification: the codes of mailed invitations are sealed for it"`
}

// Service is the residence service.
type Service struct {
	*boot.Deps
	tasks  internalapi.Task
	codes  codes
	reader seal.PublicKey // notification's
}

// New describes the service to boot.
func New(cfg Config) boot.Service {
	return boot.Service{
		Name: "residence", Title: "Hearth residences", Hot: hot(), Background: sweep,
		Register: func(d *boot.Deps) error {
			if len(cfg.ShareKey) != 1 {
				return fmt.Errorf("HEARTH_SHARE_KEY: one key is wanted, not %d", len(cfg.ShareKey))
			}
			if cfg.SealPublicKey == (seal.PublicKey{}) {
				return errors.New("HEARTH_SEAL_PUBLIC_KEY is needed")
			}
			codes, err := newCodes(cfg.ShareKey[0])
			if err != nil {
				return err
			}
			// Here a miss costs one statement, not a call to ourselves.
			d.Access = access.New(d.Cache, func(ctx context.Context, user uuid.UUID) ([]access.Home, error) {
				return selectHomes(ctx, d.DB, user)
			})
			s := &Service{Deps: d, tasks: d.Calls.Task(d.Config.TaskURL), codes: codes, reader: cfg.SealPublicKey}
			s.routes()
			s.events()
			return nil
		},
	}
}

// hot are the statements of the requests that the apps make all the time.
func hot() []string {
	return []string{
		homesSQL, residenceSQL, listSQL, summarySQL, usersSQL, lockHomeSQL, updateSQL(),
		syncResidencesSQL, syncMembersSQL, delta.TombstonesSQL,
	}
}
