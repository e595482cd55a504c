package report_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"sync"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
	"hearth.internal/task/report"
)

func cents(n int64) *money.Amount { a := money.Amount(n); return &a }

var (
	ada     = report.Person{ID: uuid.New(), Name: "Ada Lindqvist"}
	sam     = report.Person{ID: uuid.New(), Name: "Sam Okafor"}
	kim     = report.Person{ID: uuid.New(), Name: "Kim Rivera"}
	becker  = report.Contractor{ID: uuid.New(), Name: "Rosa Becker", Company: "Becker Heating & Plumbing"}
	sweep   = report.Contractor{ID: uuid.New(), Name: "Matthias Rauch", Company: "Rauch Chimney Sweeps"}
	roofers = report.Contractor{ID: uuid.New(), Name: "Nordtak AB"}
)

func head() report.Head {
	return report.Head{
		Residence: "Maple Street 12", Address: []string{"12 Maple Street, Apartment 4B", "Madison, WI 53703", "United States"},
		MadeFor: "Ada Lindqvist", MadeOn: day.Must("2026-03-10"), Locale: "en-US", Currency: "USD", Paper: report.A4,
	}
}

// chores are what a household does, with what it costs.
var chores = []struct {
	title, category string
	cost            int64
	contractor      report.Contractor
	notes           string
}{
	{"Change the furnace filter", "HVAC", 2490, report.Contractor{}, ""},
	{"Service the boiler", "HVAC", 18900, becker, "Burner cleaned, pressure set to 1.6 bar. The expansion vessel loses air slowly: look again in the autumn."},
	{"Clean the gutters", "Roof & Gutters", 0, report.Contractor{}, "Two bags of maple leaves. The north downpipe was blocked."},
	{"Sweep the chimney", "Safety", 9500, sweep, "Flue free, draught measured. Next sweep due before the heating season."},
	{"Test the smoke detectors", "Safety", 0, report.Contractor{}, ""},
	{"Replace broken roof tiles after the storm", "Roof & Gutters", 64250, roofers, "Eleven tiles on the west side and the ridge flashing. Invoice and photos went to the insurer."},
	{"Flush the water heater", "Plumbing", 0, report.Contractor{}, ""},
	{"Fix the dripping kitchen tap", "Plumbing", 7420, becker, "New cartridge."},
	{"Aerate and overseed the lawn", "Lawn & Garden", 5600, report.Contractor{}, ""},
	{"Repaint the window frames on the street side", "Exterior", 23800, report.Contractor{}, "Sanded, primed, two coats of linseed oil paint."},
	{"Reseal the bathroom", "Interior", 1890, report.Contractor{}, ""},
	{"Service the fridge's condenser coils", "Appliances", 0, report.Contractor{}, ""},
}

func completions(n int, photos bool) []report.Completion {
	out := make([]report.Completion, n)
	for i := range out {
		c := chores[(i*7)%len(chores)]
		done := report.Completion{
			On: day.Must("2026-03-09").AddDays(-i * 330 / max(n, 24)), Task: c.title, Category: c.category, By: []report.Person{ada, ada, sam, kim, sam}[i%5],
			Contractor: c.contractor, Notes: c.notes, Rating: map[bool]int{true: 3 + i%3}[c.contractor.Name != ""],
		}
		if c.cost > 0 {
			done.Cost = cents(c.cost + int64(i%4)*150)
		}
		if photos && c.cost > 9000 {
			for k := range 1 + i%3 {
				done.Photos = append(done.Photos, jpegPhoto(320, 240, i+k))
			}
		}
		out[i] = done
	}
	return out
}

func tasks(n int) report.Tasks {
	d := report.Tasks{Head: head(), From: day.Must("2025-03-11"), To: day.Must("2026-03-10")}
	for i := range n {
		c := chores[(i*5)%len(chores)]
		status := []report.Status{report.DueSoon, report.Upcoming, report.Overdue, report.Upcoming, report.InProgress, report.DueSoon, report.Completed, report.Upcoming, report.Cancelled}[i%9]
		t := report.Task{Title: c.title, Category: c.category, Status: status, Assignee: []string{ada.Name, sam.Name, "", kim.Name}[i%4]}
		switch status {
		case report.Completed, report.Cancelled:
		case report.Overdue:
			t.Due = d.To.AddDays(-3 - i%20)
		case report.DueSoon, report.InProgress:
			t.Due = d.To.AddDays(i % 28)
		case report.Upcoming:
			t.Due = d.To.AddDays(31 + i%200)
		}
		if i%3 != 0 {
			t.LastDone = d.To.AddDays(-20 - i%300)
		}
		if c.cost > 0 {
			t.Cost, t.Estimated = cents(c.cost), status != report.Completed
		}
		d.Tasks = append(d.Tasks, t)
	}
	return d
}

func history(n int, photos bool) report.History {
	d := report.History{Head: head(), Completions: completions(n, photos)}
	for i := range d.Completions {
		d.Completions[i].On = d.MadeOn.AddDays(-1 - i*4*365/max(n, 1))
	}
	d.Warranties = []report.Warranty{
		{Item: "Condensing boiler", Provider: "Vaillant", Model: "ecoTEC plus VC 20", Serial: "21213400200144", Start: day.Must("2024-10-02"), End: day.Must("2029-10-01"), Price: cents(489000), Bought: day.Must("2024-09-20"),
			Claims: []string{"Rosa Becker", "+1 608 555 0142", "service@vaillant.example", "https://vaillant.example/warranty/claims"}},
		{Item: "Roof of the annex", Provider: "Nordtak AB", Start: day.Must("2022-06-15"), End: day.Must("2032-06-14")},
		{Item: "Dishwasher", Provider: "Bosch", Model: "SMV4HVX00E", Serial: "FD 0209 44817", Start: day.Must("2025-01-20"), End: day.Must("2026-01-19"), Price: cents(74900)},
		{Item: "Window frames", Provider: "Holzbau Rauch"},
	}
	d.Equipment = []report.Equipment{
		{Name: "Condensing boiler", Location: "Basement", Maker: "Vaillant", Model: "ecoTEC plus VC 20", Serial: "21213400200144", Installed: day.Must("2024-10-02"), ReplaceBy: day.Must("2044-10-02"), Works: 4, Cost: cents(75600)},
		{Name: "Dishwasher", Location: "Kitchen", Maker: "Bosch", Model: "SMV4HVX00E", Serial: "FD 0209 44817", Installed: day.Must("2025-06-20"), ReplaceBy: day.Must("2037-06-20"), Works: 1},
		{Name: "Roof", Maker: "Nordtak AB", Installed: day.Must("1996-06-15"), ReplaceBy: day.Must("2026-03-10"), Works: 2, Cost: cents(128500)},
		{Name: "Water heater", Location: "Basement", Maker: "Rheem", Model: "XE50", Bought: day.Must("2016-02-29")},
		{Name: "Pool pump"},
	}
	d.Documents = []report.Document{
		{Title: "Building insurance", Type: "Insurance", Provider: "Helvetia", Added: day.Must("2026-01-02"), Start: day.Must("2026-01-01"), End: day.Must("2026-12-31")},
		{Title: "Electrical inspection", Type: "Inspection", Provider: "TÜV", Added: day.Must("2021-05-02"), End: day.Must("2025-05-01")},
		{Title: "Deed", Type: "Contract", Added: day.Must("2019-11-30"), Inactive: true},
	}
	return d
}

// picture is a little landscape, another one for each seed.
func picture(w, h, seed int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			hill := float64(h) * (0.6 + 0.15*math.Sin(float64(x)/float64(w)*6+float64(seed)))
			c := color.RGBA{uint8(120 + 90*y/h), uint8(170 + 40*y/h), 225, 255}
			if float64(y) > hill {
				c = color.RGBA{uint8(70 + seed*37%90), uint8(120 + seed*53%80), 70, 255}
			}
			if dx, dy := x-w*(2+seed%5)/8, y-h/4; dx*dx+dy*dy < h*h/90 {
				c = color.RGBA{250, 214, 110, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func photoOf(raw []byte) report.Photo {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
}

// drawn are pictures that were made before: under the race detector they take their time.
var drawn sync.Map

func jpegPhoto(w, h, seed int) report.Photo {
	return func() (io.ReadCloser, error) {
		key := [3]int{w, h, seed % 5}
		if _, known := drawn.Load(key); !known {
			var b bytes.Buffer
			if err := jpeg.Encode(&b, picture(w, h, seed%5), nil); err != nil {
				return nil, fmt.Errorf("jpeg: %w", err)
			}
			drawn.Store(key, b.Bytes())
		}
		raw, _ := drawn.Load(key)
		return photoOf(raw.([]byte))()
	}
}

func pngPhoto(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, picture(w, h, 3)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
