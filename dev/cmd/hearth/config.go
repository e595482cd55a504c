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

// local is what `make run` and `make migrate` read. They give the parts all of their own configuration.
var local = []config.Variable{
	{Name: addrVariable, Default: defaultAddr, Doc: "Where the gateway answers"},
	{Name: tracesVariable, Default: defaultTraces, Doc: "Where the traces are shown; when left out, any free port if this one is taken"},
	{Name: smtpVariable, Doc: "A mail server for what Hearth mails, with the variables of notification beside it; empty: the mails stay here and are shown beside the traces"},
	{Name: "DATABASE_URL", Doc: "A PostgreSQL to use, as a user who may create databases and roles; empty: a private one under `.dev/`"},
	{Name: "REDIS_URL", Doc: "A Redis to use for caches and queues (`maxmemory-policy noeviction`); empty: two private ones"},
	{Name: "PG_BIN", Doc: "The directory with PostgreSQL's programs; empty: it is looked for"},
	{Name: "REDIS_BIN", Doc: "The redis-server program, or the directory that it is in; empty: it is looked for"},
	{Name: "NO_COLOR", Doc: "Anything: the progress is shown without colours"},
}

// printConfig writes the configuration table as Markdown, made from the very structs that read it.
func printConfig(w io.Writer) error {
	_, _ = fmt.Fprintln(w, "# Configuration\n\nEverything is read from the environment. `bin/hearth config` prints this page. A variable that begins with\n"+
		"`HEARTH_` and is not here stops a part at its start: it is most likely misspelt.")
	printTable(w, "On this machine: `make run`", local, nil)
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
	_, _ = fmt.Fprintf(w, "\n## %s\n\n| Variable | Default | Meaning |\n|---|---|---|\n%s\n", title, strings.Join(rows, "\n"))
}
