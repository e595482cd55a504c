// Command auth runs the auth service.
package main

import (
	_ "time/tzdata" // a minimal image has no zone files

	"hearth.internal/auth"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
)

func main() {
	boot.Main(func(environ []string) (config.Service, boot.Service, error) {
		cfg, err := config.Load[auth.Config](environ)
		return cfg.Service, auth.New(cfg), err
	})
}
