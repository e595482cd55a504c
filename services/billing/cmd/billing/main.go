// Command billing runs the billing service.
package main

import (
	"hearth.internal/billing"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
)

func main() {
	boot.Main(func(environ []string) (config.Service, boot.Service, error) {
		cfg, err := config.Load[billing.Config](environ)
		return cfg.Service, billing.New(cfg), err
	})
}
