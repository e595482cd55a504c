// Command document runs the document service.
//
//	document               the service
//	document check         compare the storage with the database
//	document check -deep   and read every file
package main

import (
	"context"
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
	if len(os.Args) > 1 && os.Args[1] == "check" {
		cfg, err := config.Load[document.Config](os.Environ())
		if err == nil {
			err = document.RunCheck(context.Background(), cfg, len(os.Args) > 2 && os.Args[2] == "-deep", os.Stdout)
		}
		if err != nil {
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
