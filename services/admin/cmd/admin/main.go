// Command admin runs the admin service.
package main

import (
	"hearth.internal/admin"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
)

func main() {
	boot.Main(func(environ []string) (config.Service, boot.Service, error) {
		cfg, err := config.Load[admin.Config](environ)
		return cfg.Service, admin.New(cfg), err
	})
}
