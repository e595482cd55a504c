// Command document runs the document service.
package main

import (
	"hearth.internal/document"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
)

func main() {
	boot.Main(func(environ []string) (config.Service, boot.Service, error) {
		cfg, err := config.Load[document.Config](environ)
		return cfg.Service, document.New(cfg), err
	})
}
