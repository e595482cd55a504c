package system

import (
	"io"
	"net"

	"hearth.internal/admin"
	"hearth.internal/auth"
	"hearth.internal/billing"
	"hearth.internal/document"
	"hearth.internal/notification"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/residence"
	"hearth.internal/task"
)

// part is one service or the gateway, and where it runs.
type part struct {
	name     string
	build    func(environ []string, terminal io.Writer) (config.Service, boot.Service, error)
	listener net.Listener
	address  string
	environ  []string
}

// services lists them all. Each reads its configuration as it does in production.
func services() []part {
	return []part{
		{name: "auth", build: func(env []string, _ io.Writer) (config.Service, boot.Service, error) {
			cfg, err := config.Load[auth.Config](env)
			return cfg.Service, auth.New(cfg), err
		}},
		{name: "residence", build: func(env []string, _ io.Writer) (config.Service, boot.Service, error) {
			cfg, err := config.Load[residence.Config](env)
			return cfg.Service, residence.New(cfg), err
		}},
		{name: "task", build: func(env []string, _ io.Writer) (config.Service, boot.Service, error) {
			cfg, err := config.Load[task.Config](env)
			return cfg.Service, task.New(cfg), err
		}},
		{name: "document", build: func(env []string, _ io.Writer) (config.Service, boot.Service, error) {
			cfg, err := config.Load[document.Config](env)
			return cfg.Service, document.New(cfg), err
		}},
		{name: "notification", build: func(env []string, terminal io.Writer) (config.Service, boot.Service, error) {
			cfg, err := config.Load[notification.Config](env)
			return cfg.Service, notification.New(cfg, notification.WithTerminal(terminal)), err
		}},
		{name: "billing", build: func(env []string, _ io.Writer) (config.Service, boot.Service, error) {
			cfg, err := config.Load[billing.Config](env)
			return cfg.Service, billing.New(cfg), err
		}},
		{name: "admin", build: func(env []string, _ io.Writer) (config.Service, boot.Service, error) {
			cfg, err := config.Load[admin.Config](env)
			return cfg.Service, admin.New(cfg), err
		}},
	}
}
