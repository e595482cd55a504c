// Command document runs the document service.
package main

import (
	"fmt"
	"os"

	"hearth.internal/document"
	"hearth.internal/document/reader"
	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
)

func main() {
	if reader.Asked(os.Args[1:]) { // the service starts itself anew to decode files
		if err := reader.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "document:", err)
			os.Exit(1)
		}
		return
	}
	boot.Main(func(environ []string) (config.Service, boot.Service, error) {
		cfg, err := config.Load[document.Config](environ)
		return cfg.Service, document.New(cfg), err
	})
}
