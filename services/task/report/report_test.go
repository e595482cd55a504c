package report_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"hearth.internal/pkg/day"
	"hearth.internal/task/report"
)

func made(t *testing.T, d report.Tasks) readReport {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteTasks(t.Context(), &b, d); err != nil {
		t.Fatal(err)
	}
	r := opened(t, b.Bytes())
	sound(t, r)
	return r
}

func madeHistory(t *testing.T, d report.History) readReport {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteHistory(t.Context(), &b, d); err != nil {
		t.Fatal(err)
	}
	r := opened(t, b.Bytes())
	sound(t, r)
	return r
}

func wants(t *testing.T, r readReport, texts ...string) {
	t.Helper()
	all := r.all()
	for _, text := range texts {
		if !strings.Contains(all, strings.ReplaceAll(text, "~", "\u00a0")) {
			t.Errorf("it does not say %q", text)
		}
	}
}

func TestTaskReport(t *testing.T) {
	d := tasks(58)
	d.Completions = completions(31, true)
	r := made(t, d)
	cover := r.pages[0]
	for _, text := range []string{
		"TASK REPORT", "Maple Street 12", "12 Maple Street, Apartment 4B", "Madison, WI 53703", "Mar~11,~2025 – Mar~10,~2026", "Mar~10,~2026",
		"open tasks", "46", "overdue", "7", "due within 30 days", "13", "done in the period", "31", "cost in the period", "$3,059.10",
		"Cost by month", "Cost by category", "Completions by person", "Ada Lindqvist", "Roof & Gutters", "42%", "$1,294.00", "2025", "Jul",
	} {
		if !cover.has(strings.ReplaceAll(text, "~", "\u00a0")) {
			t.Errorf("the cover does not say %q: %q", text, cover.lines())
		}
	}
	wants(t, r, "Overdue", "In progress", "Due soon", "Upcoming", "Completed", "Cancelled", "20 tasks", "est. $642.50", "Upcoming, continued",
		"Completed in the period", "Done by Ada Lindqvist  ·  Contractor: Rosa Becker, Becker Heating & Plumbing  ·  Plumbing", "Two bags of maple leaves. The north downpipe was blocked.")
	images := 0
	for _, p := range r.pages {
		images += p.images
	}
	if images < 10 {
		t.Errorf("%d photos are shown", images)
	}
}

func TestATablesHeaderComesAgainOnEveryPage(t *testing.T) {
	d := tasks(0)
	for range 200 {
		d.Tasks = append(d.Tasks, report.Task{Title: "Sweep the yard", Category: "Exterior", Status: report.Upcoming, Due: day.Must("2026-08-01"), Assignee: "Sam"})
	}
	r := made(t, d)
	pages := 0
	for i, p := range r.pages {
		if !p.has("Sweep the yard") {
			continue
		}
		pages++
		for _, head := range []string{"TASK", "CATEGORY", "DUE", "ASSIGNEE", "LAST DONE", "COST"} {
			if !p.has(head) {
				t.Errorf("page %d has rows, but no %s above them", i+1, head)
			}
		}
	}
	if pages < 5 {
		t.Errorf("200 tasks take %d pages", pages)
	}
}

func TestHomeHistory(t *testing.T) {
	r := madeHistory(t, history(40, true))
	wants(t, r, "HOME HISTORY", "works recorded", "spent in all", "Cost by year", "2026", "2022", "Total 2025", "Replace broken roof tiles after the storm",
		"Contractors", "Becker Heating & Plumbing", "Paid to contractors", "Equipment", "Condensing boiler\nBasement", "Oct~2,~2024\n1 year\nOct~2,~2044\n$756.00\n4 works", "bought, 10 years", "Mar~10,~2026\nis due", "Jun~20,~2025\nunder a year",
		"Maintenance of equipment, as far as it is recorded\n$2,041.00", "Warranties and papers", "warranties in force\n", "No. 21213400200144", "bought Sep~20,~2024 for $4,890.00",
		"Rosa Becker", "service@vaillant.example", "Oct~1,~2029\nfrom Oct~2,~2024\nActive", "Jan~19,~2026\nfrom Jan~20,~2025\nExpired", "for life",
		"Building insurance\nInsurance\nHelvetia", "May~1,~2025\nis past", "put away")

	none := madeHistory(t, report.History{Head: head()})
	wants(t, none, "No works recorded.", "No works by contractors recorded.", "No equipment recorded.", "No warranties recorded.", "None yet")
}

func TestHistoryAddsUpByYearAndContractor(t *testing.T) {
	d := report.History{Head: head()}
	for _, c := range []struct {
		on   string
		cost int64
		by   report.Contractor
	}{{"2026-01-05", 10000, becker}, {"2025-12-31", 2050, becker}, {"2025-03-01", 3000, sweep}, {"2025-01-01", 0, report.Contractor{}}} {
		done := report.Completion{On: day.Must(c.on), Task: "Work", Contractor: c.by}
		if c.cost > 0 {
			done.Cost = cents(c.cost)
		}
		d.Completions = append(d.Completions, done)
	}
	r := madeHistory(t, d)
	wants(t, r, "Total 2026\n$100.00", "Total 2025\n$50.50", "3 works  ·  $50.50", "Rosa Becker\nBecker Heating & Plumbing\n2\nDec~31,~2025 – Jan~5,~2026\n$120.50", "Paid to contractors\n$150.50")
}

func TestEveryScriptIsShown(t *testing.T) {
	d := tasks(1)
	d.Tasks[0].Status = report.DueSoon
	texts := []string{
		"Größe ändern, façade, žluťoučký kůň, ğüşiöç, Łódź", "Καθαρισμός υδρορροών", "Прочистить водостоки, їжак", "Tiếng Việt sửa mái",
		"清洗空调滤网", "掃除フィルター、毎年", "보일러 점검하기", "„Quotes“ — dash … ½ € № ★ ✓ → ×",
	}
	for i, text := range texts {
		d.Completions = append(d.Completions, report.Completion{On: d.To.AddDays(-i), Task: text, By: report.Person{Name: text}, Notes: text})
	}
	d.Residence, d.MadeFor = texts[5], texts[2]
	r := made(t, d) // sound: every character has a glyph
	joined := strings.ReplaceAll(r.all(), "\n", "")
	for _, text := range texts {
		for word := range strings.FieldsSeq(text) {
			if !strings.Contains(joined, word) && !strings.ContainsAny(word, "★✓→×½€№„“") { // there the font changes inside
				t.Errorf("it does not say %q", word)
			}
		}
	}
	if strings.Contains(joined, "?") || strings.Contains(joined, "\ufffd") {
		t.Error("a character was replaced")
	}

	h := history(0, false)
	for _, text := range texts {
		h.Equipment = append(h.Equipment, report.Equipment{Name: text, Maker: text})
		h.Warranties = append(h.Warranties, report.Warranty{Item: text, Provider: text, Claims: []string{text}})
		h.Documents = append(h.Documents, report.Document{Title: text, Provider: text, Added: d.To})
	}
	if all := madeHistory(t, h).all(); strings.Contains(all, "\ufffd") || strings.Count(all, "Проч") < 6 {
		t.Errorf("the papers' texts are not all there: %s", all)
	}

	plain := made(t, tasks(30))
	if len(plain.fonts) != 2 || plain.size > 80_000 {
		t.Errorf("a report without other scripts has %d fonts and %d bytes", len(plain.fonts), plain.size)
	}
}

func TestEmojiAreDrawnAndWhatNoFontHasIsSaid(t *testing.T) {
	with, without := tasks(1), tasks(1)
	with.Tasks[0].Title, without.Tasks[0].Title = "🔧 Fix the tap 👩‍🔧🏽", "Fix the tap "
	r := made(t, with)
	wants(t, r, "Fix the tap")
	if strings.Contains(r.all(), "\ufffd") {
		t.Error("an emoji was replaced")
	}
	if plain := made(t, without); r.size < plain.size+200 {
		t.Errorf("with emoji it has %d bytes, without %d: they are not drawn", r.size, plain.size)
	}

	thai := tasks(1)
	thai.Tasks[0].Title = "ล้างแอร์"
	wants(t, made(t, thai), "Characters of scripts that this report's fonts do not have are shown as \ufffd.")
}

func TestNothingRunsOverTheEdge(t *testing.T) {
	for _, paper := range []report.Paper{report.A4, report.Letter} {
		long := strings.Repeat("W", 200)
		words := strings.Repeat("heating and ventilation ", 9)[:200]
		han := strings.Repeat("漢字", 100)
		d := tasks(4)
		d.Paper, d.Currency, d.Locale = paper, "USD", "de-CH"
		d.Residence, d.Address, d.MadeFor = long[:120], []string{long, words, han}, strings.Repeat("M", 150)
		for i, text := range []string{long, words, han, long} {
			d.Tasks[i] = report.Task{Title: text, Category: long, Status: report.Status(i), Assignee: text, Due: d.To, LastDone: d.To, Cost: cents(999_999_999_999), Estimated: true}
			done := report.Completion{
				On: d.To, Task: text, Category: long, By: report.Person{Name: text}, Contractor: report.Contractor{Name: text, Company: text},
				Notes: strings.Repeat(text+"\n", 60), Cost: cents(999_999_999_999), Rating: 5,
			}
			for k := range 20 {
				done.Photos = append(done.Photos, jpegPhoto(40, 30, k))
			}
			d.Completions = append(d.Completions, done)
		}
		r := made(t, d)
		if got := int(r.pages[0].width); got != map[report.Paper]int{report.A4: 595, report.Letter: 612}[paper] {
			t.Errorf("%s is %d points wide", paper, got)
		}
		madeHistory(t, report.History{Head: d.Head, Completions: d.Completions, Warranties: []report.Warranty{
			{Item: long, Provider: long, Claims: []string{words, long, han, long + long}, Model: long, Serial: long, Start: d.To, Bought: d.To, Price: cents(999_999_999_999)},
		}, Equipment: []report.Equipment{
			{Name: long, Location: words, Maker: han, Model: long, Serial: long, Installed: day.Must("1900-01-01"), ReplaceBy: d.To, Works: 1_000_000, Cost: cents(999_999_999_999)},
		}, Documents: []report.Document{{Title: long, Type: "Inspection", Provider: long, Added: d.To, Start: d.To}}})
	}
}

func TestBrokenPhotosBreakNothing(t *testing.T) {
	good := pngPhoto(t, 900, 300)
	d := tasks(1)
	d.Completions = completions(1, false)
	d.Completions[0].Photos = []report.Photo{
		photoOf(good), jpegPhoto(1200, 800, 1), photoOf([]byte("no picture")), photoOf(good[:len(good)/2]),
		func() (io.ReadCloser, error) { return nil, errors.New("gone") },
		photoOf(hugePNG(good)), photoOf(good), photoOf(good), // six are shown
	}
	r := made(t, d)
	images := 0
	for _, p := range r.pages {
		images += p.images
	}
	if images != 2 {
		t.Errorf("%d of two good photos are shown", images)
	}
	if n := strings.Count(r.all(), "not readable"); n != 4 {
		t.Errorf("%d photos are said to be broken", n)
	}
	wants(t, r, "+2", "2 more photos are in Hearth.")
	if r.size > 100_000 {
		t.Errorf("thumbnails make it %d bytes", r.size)
	}
}

// hugePNG claims to be a picture of 60,000 by 60,000.
func hugePNG(from []byte) []byte {
	out := bytes.Clone(from)
	copy(out[16:], []byte{0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60})
	return out
}

func TestWhatIsLeftOutIsSaid(t *testing.T) {
	d := tasks(5)
	d.AllTasks, d.AllCompletions = 5200, 0
	wants(t, made(t, d), "This report is about 5 tasks of 5,200", "Nothing was completed in this period.")
	h := history(3, false)
	h.AllCompletions, h.AllEquipment, h.AllWarranties, h.AllDocuments = 20001, 1001, 1002, 1003
	wants(t, madeHistory(t, h), "This report is about 3 completions of 20,001", "5 pieces of equipment of 1,001", "4 warranties of 1,002", "3 documents of 1,003")
}

func TestAReportEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := report.WriteTasks(ctx, io.Discard, tasks(10)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := report.WriteHistory(ctx, io.Discard, history(10, true)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestReportsAreMadeAtOnce(t *testing.T) {
	d := tasks(60)
	d.Completions = completions(20, true)
	d.Tasks[0].Title = "掃除"
	files := make([]bytes.Buffer, 4)
	var all sync.WaitGroup
	for i := range files {
		all.Go(func() {
			if err := report.WriteTasks(t.Context(), &files[i], d); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	first := opened(t, files[0].Bytes())
	sound(t, first)
	for i := range files {
		if got := opened(t, files[i].Bytes()); got.all() != first.all() {
			t.Errorf("report %d says something else", i)
		}
	}
}

// heapAt notes how much is held when the document is whole and begins to be written: its most.
type heapAt struct {
	bytes.Buffer
	held uint64
}

func (h *heapAt) Write(p []byte) (int, error) {
	if h.held == 0 {
		h.held = held()
	}
	return h.Buffer.Write(p)
}

func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemoryIsBounded(t *testing.T) {
	measure := func(n int) (grown float64, file []byte) {
		d := tasks(n)
		d.Completions = completions(3*n, false)
		before := held()
		var out heapAt
		if err := report.WriteTasks(t.Context(), &out, d); err != nil {
			t.Fatal(err)
		}
		runtime.KeepAlive(d)
		return float64(out.held-before) / (1 << 20), out.Bytes()
	}
	measure(1) // the fonts are read
	little, _ := measure(100)
	much, file := measure(1000)
	r := opened(t, file)
	sound(t, r)
	t.Logf("100 tasks: %.1f MiB; 1,000 tasks and 3,000 completions: %.1f MiB, %d pages, %d bytes", little, much, len(r.pages), len(file))
	if much > 5*little {
		t.Errorf("ten times the tasks take %.1f MiB instead of %.1f", much, little)
	}
}

func TestCostsOfJapanHaveNoDecimals(t *testing.T) {
	d := tasks(1)
	d.Locale, d.Currency = "ja-JP", "JPY"
	d.Completions = []report.Completion{{On: d.To, Task: "Work", Cost: cents(123_400_00)}}
	wants(t, made(t, d), "¥123,400", "10~Mar~2026")
}
