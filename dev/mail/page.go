package mail

import (
	"html/template"
	"net/http"
	"strings"
)

func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

func render(w http.ResponseWriter, page *template.Template, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'")
	if err := page.Execute(w, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// letter shows a mail's HTML as a mail program does: nothing in it runs, and nothing is fetched.
func letter(w http.ResponseWriter, html string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups")
	_, _ = w.Write([]byte(html)) // whoever has gone sees nothing
}

const style = `<style>
:root{color-scheme:light dark;--line:#8884;--dim:#888;--ember:#c2410c}
body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:78rem;padding:0 1rem}
h1{font-size:1.25rem}a{color:inherit}table{border-collapse:collapse;width:100%}.dim{color:var(--dim)}
td,th{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:left}
nav{display:flex;gap:1.4rem;flex-wrap:wrap;margin:1rem 0}nav b{font-weight:600;color:var(--ember)}nav span{display:flex;gap:.7rem}
iframe{border:1px solid var(--line);border-radius:8px;background:#fff;width:100%;height:46rem}
pre{white-space:pre-wrap;word-break:break-word;border:1px solid var(--line);border-radius:8px;padding:.8rem;font-size:12px}
.all{display:grid;grid-template-columns:repeat(auto-fill,minmax(36rem,1fr));gap:1.6rem}.phone{grid-template-columns:repeat(auto-fill,23.5rem)}
.all h2{font-size:.95rem;margin:0 0 .4rem}
</style>`

const head = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">`

var listPage = template.Must(template.New("list").Parse(head + `<title>Mail · Hearth</title>` + style + `
<h1>Mail</h1><nav><a href="/mail/gallery/">Gallery of all mails</a><a href="/traces/">Traces</a></nav>
{{if .Elsewhere}}<p class="dim">Mails go to the server that HEARTH_SMTP_HOST names.</p>
{{else if not .Mails}}<p class="dim">None yet. Whatever Hearth mails on this machine ends up here, whoever it is to.</p>
{{else}}<table><tr><th>When<th>To<th>Subject</tr>
{{range .Mails}}<tr><td class="dim">{{.At.Format "15:04:05"}}<td>{{range .To}}{{.}} {{end}}<td><a href="/mail/{{.Number}}">{{.Subject}}</a></tr>{{end}}
</table>{{end}}`))

var mailPage = template.Must(template.New("mail").Parse(head + `<title>{{.Subject}} · Hearth</title>` + style + `
<h1>{{.Subject}}</h1><p><span class="dim">to</span> {{range .To}}{{.}} {{end}}<span class="dim">at {{.At.Format "15:04:05"}}</span> · <a href="/mail/">All mails</a></p>
<iframe sandbox="allow-popups" title="HTML" src="/mail/{{.Number}}/html"></iframe>
{{range .Attachments}}<p>Attached: {{.Name}} <span class="dim">{{.ContentType}}, {{len .Content}} bytes</span></p>{{end}}
<h2>Text</h2><pre>{{.Text}}</pre><h2>Headers</h2><pre>{{.Head}}</pre>`))

var galleryPage = template.Must(template.New("gallery").Funcs(template.FuncMap{"split": strings.Fields}).Parse(head + `<title>Gallery of mails · Hearth</title>` + style + `
{{$look := .}}<h1>All mails</h1><nav><a href="/mail/">Mails that were sent</a>
<span>{{range .Languages}}{{if eq . $look.Language}}<b>{{.}}</b>{{else}}<a href="?language={{.}}&scheme={{$look.Scheme}}&width={{$look.Width}}">{{.}}</a>{{end}}{{end}}</span>
<span>{{range "light dark" | split}}{{if eq . $look.Scheme}}<b>{{.}}</b>{{else}}<a href="?language={{$look.Language}}&scheme={{.}}&width={{$look.Width}}">{{.}}</a>{{end}}{{end}}</span>
<span>{{range "desktop phone" | split}}{{if eq . $look.Width}}<b>{{.}}</b>{{else}}<a href="?language={{$look.Language}}&scheme={{$look.Scheme}}&width={{.}}">{{.}}</a>{{end}}{{end}}</span></nav>
<div class="all {{.Width}}">{{range .Samples}}<section><h2>{{.Subject}} <a class="dim" href="/mail/gallery/{{$look.Language}}/{{.Purpose}}?scheme={{$look.Scheme}}">{{.Purpose}}</a> <a class="dim" href="/mail/gallery/{{$look.Language}}/{{.Purpose}}?text">text</a></h2>
<iframe sandbox="allow-popups" loading="lazy" title="{{.Purpose}}" src="/mail/gallery/{{$look.Language}}/{{.Purpose}}?scheme={{$look.Scheme}}"></iframe></section>{{end}}</div>`))
