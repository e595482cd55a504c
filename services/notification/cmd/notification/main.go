// Command notification runs the notification service.
package main

import (
	"hearth.internal/notification"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
)

func main() {
	boot.Main(func(environ []string) (config.Service, boot.Service, error) {
		cfg, err := config.Load[notification.Config](environ)
		return cfg.Service, notification.New(cfg), err
	})
}
