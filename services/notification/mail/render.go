package mail

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strings"
	texttemplate "text/template"
	"unicode/utf8"
)

//go:embed layout
var layout embed.FS

// Options say where a mail's buttons lead.
type Options struct {
	// AppURL is where Hearth is opened, by a browser or by the app that is registered for it; empty: no button needs it.
	AppURL string
}

// Rendered is a letter in words and in a layout. The subject is one line.
type Rendered struct{ Subject, HTML, Text string }

// Renderer writes letters. It is safe for concurrent use.
type Renderer struct {
	options Options
	html    *template.Template
	text    *texttemplate.Template
}

// New reads the layout.
func New(o Options) (*Renderer, error) {
	if o.AppURL != "" && !opens(o.AppURL, "http", "https") {
		return nil, fmt.Errorf("mail: %q is no address of a web page", o.AppURL)
	}
	head, err := layout.ReadFile("layout/head.css")
	if err != nil {
		return nil, fmt.Errorf("mail: styles: %w", err)
	}
	sheet, err := layout.ReadFile("layout/mail.css")
	if err != nil {
		return nil, fmt.Errorf("mail: styles: %w", err)
	}
	r := &Renderer{options: o}
	r.html, err = template.New("mail.html").Funcs(template.FuncMap{
		"css":  styles(sheet).attributes,
		"head": func() template.CSS { return template.CSS(head) }, //nolint:gosec // our own file
		// Outlook for Windows knows no max-width: for it alone there is a table around the table. The comments that say so are
		// lost in a template.
		"outlook": func(part string) template.HTML {
			return template.HTML("<!--[if mso]>" + part + "<![endif]-->") //nolint:gosec // the layout's own words
		},
		// What follows the preheader is not to be shown beside the subject.
		"padding": func() template.HTML { return template.HTML(strings.Repeat("&#847;&zwnj;&nbsp;", 60)) }, //nolint:gosec // a constant
	}).ParseFS(layout, "layout/mail.html")
	if err != nil {
		return nil, fmt.Errorf("mail: layout: %w", err)
	}
	r.text, err = texttemplate.New("mail.txt").Funcs(texttemplate.FuncMap{
		"underline": func(heading string) string { return strings.Repeat("=", min(utf8.RuneCountInString(heading), 72)) },
	}).ParseFS(layout, "layout/mail.txt")
	if err != nil {
		return nil, fmt.Errorf("mail: layout: %w", err)
	}
	return r, nil
}

// Render puts a letter into words and the layout, in the closest language to its person's. It fails on a purpose that is
// none.
func (r *Renderer) Render(l Letter) (Rendered, error) {
	p, err := compose(l, r.options)
	if err != nil {
		return Rendered{}, err
	}
	var html, text bytes.Buffer
	if err := r.html.Execute(&html, p); err != nil {
		return Rendered{}, fmt.Errorf("mail: %s: %w", l.Purpose, err)
	}
	if err := r.text.Execute(&text, p); err != nil {
		return Rendered{}, fmt.Errorf("mail: %s: %w", l.Purpose, err)
	}
	return Rendered{Subject: p.Subject, HTML: html.String(), Text: text.String()}, nil
}

// sheet are the rules of each class.
type sheet map[string]string

var rule = regexp.MustCompile(`(?m)^\.([a-z-]+) \{ (.*) \}$`)

func styles(css []byte) sheet {
	s := sheet{}
	for _, found := range rule.FindAllSubmatch(css, -1) {
		s[string(found[1])] = string(found[2])
	}
	return s
}

// attributes writes classes into an element, by name for what the head changes on small and dark screens, and their rules
// for programs that read no head. Classes that are not there are left out.
func (s sheet) attributes(names ...string) template.HTMLAttr {
	var classes, rules []string
	for _, name := range names {
		if text, known := s[name]; known {
			classes, rules = append(classes, name), append(rules, text)
		}
	}
	return template.HTMLAttr(fmt.Sprintf(`class="%s" style="%s"`, strings.Join(classes, " "), strings.Join(rules, ";"))) //nolint:gosec // out of our own file
}

// opens reports whether it is an absolute address with one of the schemes.
func opens(address string, schemes ...string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return true
		}
	}
	return false
}
