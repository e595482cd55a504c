// Command residence runs the residence service.
package main

import (
	_ "time/tzdata" // a machine without zone files still knows every zone

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/residence"
)

func main() {
	boot.Main(func(environ []string) (config.Service, boot.Service, error) {
		cfg, err := config.Load[residence.Config](environ)
		return cfg.Service, residence.New(cfg), err
	})
}
