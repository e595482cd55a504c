package task

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The templates are few and in memory: they are searched here and not in the database, which would need an extension
// for spelling mistakes that not every operator may create.

// What a search looks at: more words than these mean nothing more.
const (
	maxSearchWords  = 8
	maxSearchResult = 50
)

// templateWords are a template's words, folded.
type templateWords struct {
	title               string // whole
	titles, tags, other []string
}

func wordsOf(t Template) templateWords {
	titles := folded(t.Title)
	return templateWords{title: strings.Join(titles, " "), titles: titles, tags: folded(strings.Join(t.Tags, " ")), other: folded(t.Description)}
}

// airConditioning is written with a stroke that parts no words.
var airConditioning = strings.NewReplacer("a/c", "ac", "A/C", "ac", "A/c", "ac")

// folded are the words of a text without case, accents and punctuation.
func folded(text string) []string {
	bare := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || r == '\'' || r == '’' {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(airConditioning.Replace(text)))
	return strings.FieldsFunc(bare, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// Words that say nothing about what is looked for.
var small = map[string]bool{"a": true, "an": true, "and": true, "for": true, "how": true, "in": true, "my": true, "of": true, "on": true, "the": true, "to": true}

// searchWords are the words of a query that count; all of them when none does.
func searchWords(query string) (words []string, whole string) {
	all := folded(query)
	words = slices.DeleteFunc(slices.Clone(all), func(w string) bool { return small[w] })
	if len(words) == 0 {
		words = all
	}
	return words[:min(len(words), maxSearchWords)], strings.Join(all, " ")
}

// What a word is worth by where it is found. The beginning of the title outweighs all of a query's words elsewhere.
const (
	worthTitleStart = 1000 // or a query that is a word of the title, or a tag
	worthTitle      = 100
	worthTag        = 60
	worthTypo       = 40 // in the title or a tag
	worthOther      = 20
	worthWhole      = 5 // the whole word and not only its beginning
)

// Search answers what is offered and has every word of the query, the best first.
func (ts *Templates) Search(query string, f TemplateFilter) []Template {
	words, whole := searchWords(query)
	type hit struct{ at, worth int }
	var hits []hit
	for i, t := range ts.offered {
		if worth := ts.words[i].worth(words, whole); worth > 0 && f.admits(t) {
			hits = append(hits, hit{i, worth})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.worth, a.worth) })
	hits = hits[:min(len(hits), maxSearchResult)]
	out := make([]Template, len(hits))
	for i, h := range hits {
		out[i] = ts.offered[h.at]
	}
	return out
}

func (w templateWords) worth(words []string, whole string) int {
	total := 0
	for _, word := range words {
		one := w.worthOf(word)
		if one == 0 {
			return 0
		}
		total += one
	}
	if total > 0 && (strings.HasPrefix(w.title, whole) || slices.Contains(w.titles, whole) || slices.Contains(w.tags, whole)) {
		total += worthTitleStart
	}
	return total
}

func (w templateWords) worthOf(word string) int {
	for _, meant := range []string{word, singular(word)} {
		if worth := max(begins(w.titles, meant, worthTitle), begins(w.tags, meant, worthTag)); worth > 0 {
			return worth
		}
	}
	if alike(w.titles, word) || alike(w.tags, word) {
		return worthTypo
	}
	return begins(w.other, word, worthOther)
}

// singular is the word as it is of one, as far as an s tells; short words are left alone.
func singular(word string) string {
	if len(word) < 4 || strings.HasSuffix(word, "ss") {
		return word
	}
	return strings.TrimSuffix(word, "s")
}

// begins is the worth if one of the words begins so, a little more if it is the word, and else nothing.
func begins(words []string, beginning string, worth int) int {
	best := 0
	for _, w := range words {
		switch {
		case w == beginning:
			return worth + worthWhole
		case strings.HasPrefix(w, beginning):
			best = worth
		}
	}
	return best
}

// alike reports whether one of the words is the one that was meant: a letter or two away, by the word's length.
func alike(words []string, word string) bool {
	meant := []rune(word)
	allowed := 0
	switch n := len(meant); {
	case n >= 8:
		allowed = 2
	case n >= 4:
		allowed = 1
	}
	return allowed > 0 && slices.ContainsFunc(words, func(w string) bool {
		return within(meant, []rune(w), allowed) || within(meant, []rune(singular(w)), allowed)
	})
}

// within reports whether a becomes b by so many insertions, deletions, replacements and swaps of neighbours (the
// distance of optimal string alignment).
func within(a, b []rune, allowed int) bool {
	if len(a)-len(b) > allowed || len(b)-len(a) > allowed {
		return false
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(replaced, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)] <= allowed
}
