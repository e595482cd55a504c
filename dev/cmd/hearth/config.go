package main

import (
	"fmt"
	"io"
	"strings"

	"hearth.internal/admin"
	"hearth.internal/auth"
	"hearth.internal/billing"
	"hearth.internal/document"
	"hearth.internal/gateway"
	"hearth.internal/notification"
	"hearth.internal/pkg/config"
	"hearth.internal/residence"
	"hearth.internal/task"
)

// printConfig writes the configuration table as Markdown, made from the very structs that read it.
func printConfig(w io.Writer) error {
	printTable(w, "Every part", config.Variables(config.Service{}), nil)
	common := map[string]bool{}
	for _, v := range config.Variables(config.Service{}) {
		common[v.Name] = true
	}
	for _, part := range []struct {
		title string
		cfg   any
	}{
		{"gateway", gateway.Config{}}, {"auth", auth.Config{}}, {"residence", residence.Config{}}, {"task", task.Config{}},
		{"document", document.Config{}}, {"notification", notification.Config{}}, {"billing", billing.Config{}}, {"admin", admin.Config{}},
	} {
		printTable(w, part.title, config.Variables(part.cfg), common)
	}
	return nil
}

func printTable(w io.Writer, title string, variables []config.Variable, without map[string]bool) {
	var rows []string
	for _, v := range variables {
		if without[v.Name] {
			continue
		}
		fallback := "`" + v.Default + "`"
		if v.Default == "" {
			fallback = map[bool]string{true: "required", false: ""}[v.Required]
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", v.Name, fallback, v.Doc))
	}
	if len(rows) == 0 {
		return
	}
	_, _ = fmt.Fprintf(w, "\n### %s\n\n| Variable | Default | Meaning |\n|---|---|---|\n%s\n", title, strings.Join(rows, "\n"))
}
