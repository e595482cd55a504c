package traces

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

// Handler shows the traces: GET /traces/ the latest, GET /traces/{id} one. A browser gets a page, a terminal text.
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", s.Receive)
	mux.HandleFunc("GET /traces/{$}", s.list)
	mux.HandleFunc("GET /traces/{id}", s.show)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/traces/", http.StatusFound) })
	return mux
}

// A client may ask for a trace at once, but spans come in batches, a second apart from each part: the page waits until
// nothing new has come for a while, and not for ever.
const (
	arrival = 10 * time.Second
	quiet   = 2 * time.Second
)

func (s *Store) show(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	t, ok := s.Get(id)
	for deadline := time.Now().Add(arrival); !(whole(t) && time.Since(t.Arrived) > quiet) && time.Now().Before(deadline) && r.Context().Err() == nil; {
		time.Sleep(50 * time.Millisecond)
		t, ok = s.Get(id)
	}
	if !ok {
		http.Error(w, "No such trace (yet).", http.StatusNotFound)
		return
	}
	if !wantsPage(r) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprint(w, t.Text())
		return
	}
	render(w, tracePage, t)
}

// whole reports whether the trace has its root, no span waits for its parent, and what was put into a queue was taken out
// of it, as far as can be told.
func whole(t Trace) bool {
	known := map[string]bool{"": true}
	rooted := false
	for _, span := range t.Spans {
		known[span.ID] = true
		rooted = rooted || span.Parent == ""
	}
	queued, consumed := map[string]bool{}, map[string]bool{}
	for _, span := range t.Spans {
		if !known[span.Parent] {
			return false
		}
		queued[span.Parent] = queued[span.Parent] || !strings.HasPrefix(span.Name, "consume ")
		consumed[span.Parent] = consumed[span.Parent] || strings.HasPrefix(span.Name, "consume ")
	}
	for _, span := range t.Spans {
		if strings.HasPrefix(span.Name, "publish ") && queued[span.ID] && !consumed[span.ID] {
			return false
		}
	}
	return rooted
}

func (s *Store) list(w http.ResponseWriter, r *http.Request) {
	latest := s.Latest(100)
	if wantsPage(r) {
		render(w, listPage, latest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, t := range latest {
		root := t.Tree()[0]
		_, _ = fmt.Fprintf(w, "%s  %s  %-40s %3d spans %8.1f ms\n", t.ID, root.Start.Format("15:04:05"), root.Name, len(t.Spans), millis(root.Duration()))
	}
}

func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

func render(w http.ResponseWriter, page *template.Template, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	if err := page.Execute(w, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

var helpers = template.FuncMap{
	"ms":   func(d time.Duration) string { return fmt.Sprintf("%.1f ms", millis(d)) },
	"hue":  func(service string) int { return hue(service) },
	"root": func(t Trace) Line { return t.Tree()[0] },
}

// hue gives every service its own color, the same on every page.
func hue(service string) int {
	h := 0
	for _, c := range service {
		h = (h*31 + int(c)) % 360
	}
	return h
}

const style = `<style>
:root{color-scheme:light dark;--line:#8884;--dim:#888}
body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
h1{font-size:1.25rem}a{color:inherit}table{border-collapse:collapse;width:100%}
td,th{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.dim{color:var(--dim)}
.bar{position:relative;height:.8rem;min-width:18rem}.bar i{position:absolute;height:100%;border-radius:3px;min-width:2px}
.failed{color:#d33}td.wide{width:45%}
summary{cursor:pointer;list-style:none}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.4rem 0 .4rem 1rem;font-size:12px}
dt{color:var(--dim)}dd{margin:0;white-space:pre-wrap;word-break:break-word;max-width:40rem}
</style>`

var listPage = template.Must(template.New("list").Funcs(helpers).Parse(`<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Traces · Hearth</title>` + style + `
<h1>Latest traces</h1>{{if not .}}<p class="dim">None yet: send the gateway a request, then load this page again.</p>{{else}}
<table><tr><th>When<th>What<th class="n">Spans<th class="n">Time</tr>
{{range .}}{{$r := root .}}<tr><td class="dim">{{$r.Start.Format "15:04:05.000"}}<td><a href="/traces/{{.ID}}">{{$r.Name}}</a><td class="n">{{len .Spans}}<td class="n">{{ms $r.Duration}}</tr>{{end}}
</table>{{end}}`))

var tracePage = template.Must(template.New("trace").Funcs(helpers).Parse(`<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Trace · Hearth</title>` + style + `
<h1>{{(root .).Name}} <span class="dim">{{.ID}}</span></h1><p><a href="/traces/">All traces</a></p>
<table><tr><th>Span<th>Service<th class="n">Time<th class="wide"></tr>
{{range .Tree}}<tr><td style="padding-left:{{.Depth}}.5rem"><details><summary{{if .Failed}} class="failed"{{end}}>{{.Name}}</summary><dl>{{range $k, $v := .Attributes}}<dt>{{$k}}<dd>{{$v}}{{end}}</dl></details>
<td>{{.Service}}<td class="n">{{ms .Duration}}<td class="wide"><div class="bar"><i style="left:{{printf "%.2f" .Left}}%;width:{{printf "%.2f" .Width}}%;background:hsl({{hue .Service}} 60% 55%)"></i></div></tr>{{end}}
</table>`))
