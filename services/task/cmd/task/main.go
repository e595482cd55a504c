// Command task runs the task service.
package main

import (
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/task"
)

func main() {
	boot.Main(func(environ []string) (config.Service, boot.Service, error) {
		cfg, err := config.Load[task.Config](environ)
		if err != nil {
			return config.Service{}, boot.Service{}, err
		}
		return cfg.Service, task.New(cfg), nil
	})
}
