package reader_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hearth.internal/document/filetype"
	"hearth.internal/document/filetype/samples"
	"hearth.internal/document/reader"
	"hearth.internal/document/reader/readertest"
	"hearth.internal/pkg/testkit"
)

// cache keeps the compiled decoders of all tests, and the program that they run in.
var cache string

func TestMain(m *testing.M) {
	if reader.Asked(os.Args[1:]) {
		if err := reader.ServeTests(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 2 && os.Args[1] == "parent" {
		beParent()
		return
	}
	os.Exit(withCache(m))
}

func withCache(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hearth-reader-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	cache = dir
	if err := readertest.Build(program()); err != nil {
		panic(err)
	}
	return m.Run()
}

func program() string { return filepath.Join(cache, "document") }

// open is a reader whose children are the service's own program.
func open(t testing.TB) *reader.Reader {
	t.Helper()
	return openWith(t, reader.Options{Program: program()})
}

// openWith is a reader whose children are this test, for what only a test does, or the program that the options name.
func openWith(t testing.TB, o reader.Options) *reader.Reader {
	t.Helper()
	o.Dir = cache
	r := reader.New(o)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func file(t testing.TB, body []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func decoded(t testing.TB, path string, want reader.Picture) image.Image {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, format, err := image.Decode(bytes.NewReader(body))
	if err != nil || "image/"+format != want.Type.MIME || m.Bounds().Dx() != want.Width || m.Bounds().Dy() != want.Height {
		t.Fatalf("%s of %v instead of %+v: %v", format, m.Bounds(), want, err)
	}
	return m
}

// corners names the colours of an image's corners, in the order of samples.Corners.
func corners(m image.Image) string {
	b := m.Bounds()
	x, y := b.Dx()/8, b.Dy()/8
	out := ""
	for _, p := range []image.Point{{x, y}, {b.Dx() - x, y}, {x, b.Dy() - y}, {b.Dx() - x, b.Dy() - y}} {
		out += name(m.At(b.Min.X+p.X, b.Min.Y+p.Y))
	}
	return out
}

func name(c color.Color) string {
	r, g, b, a := c.RGBA()
	if a < 0x8000 {
		return "-"
	}
	key := [3]bool{r > 0x8000, g > 0x8000, b > 0x8000}
	return map[[3]bool]string{{true, false, false}: "R", {false, true, false}: "G", {false, false, true}: "B", {true, true, true}: "W"}[key]
}

// turns are the corners of samples.Corners as each orientation says that they are to be seen.
var turns = []string{"", "RGBW", "GRWB", "WBGR", "BWRG", "RBGW", "BRWG", "WGBR", "GWRB"}

func TestEachOrientationIsMadeUpright(t *testing.T) {
	r := open(t)
	gray := image.NewGray(image.Rect(0, 0, 1, 1))
	for _, c := range []struct {
		name string
		body []byte
		in   filetype.Type
		out  filetype.Type
		want func(string) string
	}{
		{"JPEG", samples.JPEG(samples.Corners(160, 96)), filetype.JPEG, filetype.JPEG, nil},
		{"JPEG with odd sides", samples.JPEG(samples.Corners(163, 97)), filetype.JPEG, filetype.JPEG, nil},
		{"PNG", samples.PNG(samples.Corners(160, 96)), filetype.PNG, filetype.PNG, nil},
		{"WebP", samples.WebP(160, 96, false), filetype.WebP, filetype.JPEG, nil},
		{"WebP with a hole", samples.WebP(160, 96, true), filetype.WebP, filetype.PNG, func(s string) string { return strings.Replace(s, "W", "-", 1) }},
	} {
		in, out := file(t, c.body), filepath.Join(t.TempDir(), "out")
		for o := 1; o <= 8; o++ {
			p, err := r.Upright(t.Context(), in, out, c.in, o)
			if err != nil || p.Type != c.out || (p.Width > p.Height) != (o < 5) {
				t.Fatalf("%s %d: %+v, %v", c.name, o, p, err)
			}
			want := turns[o]
			if c.want != nil {
				want = c.want(want)
			}
			if got := corners(decoded(t, out, p)); got != want {
				t.Errorf("%s %d: %s instead of %s", c.name, o, got, want)
			}
		}
	}
	in, out := file(t, samples.JPEG(gray)), filepath.Join(t.TempDir(), "out")
	if p, err := r.Upright(t.Context(), in, out, filetype.JPEG, 6); err != nil || p.Width != 1 {
		t.Errorf("gray: %+v, %v", p, err)
	}
}

func TestAHEICBecomesAJPEGAndTurnsItselfOnce(t *testing.T) {
	r := open(t)
	straight, turned := filepath.Join(t.TempDir(), "straight"), filepath.Join(t.TempDir(), "turned")
	p, err := r.Upright(t.Context(), file(t, samples.HEIC()), straight, filetype.HEIC, 6)
	if err != nil || p != (reader.Picture{Type: filetype.JPEG, Width: 512, Height: 512}) {
		t.Fatalf("%+v, %v", p, err)
	}
	q, err := r.Upright(t.Context(), file(t, samples.TurnedHEIC()), turned, filetype.HEIC, 1)
	if err != nil {
		t.Fatal(err)
	}
	a, b := decoded(t, straight, p), decoded(t, turned, q)
	if !alike(a, b, func(x, y int) (int, int) { return 511 - y, x }) { // a quarter to the left
		t.Error("the photo that says so is not turned")
	}
	if alike(a, b, func(x, y int) (int, int) { return x, y }) {
		t.Error("the photo looks the same from all sides: it proves nothing")
	}
}

// alike compares some pixels of b with those of a that from says.
func alike(a, b image.Image, from func(x, y int) (int, int)) bool {
	far := 0
	for y := 8; y < 512; y += 16 {
		for x := 8; x < 512; x += 16 {
			ax, ay := from(x, y)
			c, d := color.GrayModel.Convert(a.At(ax, ay)).(color.Gray), color.GrayModel.Convert(b.At(x, y)).(color.Gray)
			if max(c.Y, d.Y)-min(c.Y, d.Y) > 24 {
				far++
			}
		}
	}
	return far < 40 // of 1024
}

func TestColoursAreCarriedOver(t *testing.T) {
	r := open(t)
	profile := make([]byte, 70_000) // more than one segment
	copy(profile[16:], "RGB ")
	copy(profile[36:], "acsp")
	segments := func(p []byte) []byte {
		one, two := samples.Segment(0xe2, "ICC_PROFILE\x00\x01\x02"+string(p[:65_000])), samples.Segment(0xe2, "ICC_PROFILE\x00\x02\x02"+string(p[65_000:]))
		return append(one, two...)
	}
	dir := t.TempDir()
	out, thumb, preview := filepath.Join(dir, "out"), filepath.Join(dir, "thumb"), filepath.Join(dir, "preview")
	count := func(path string) int {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("ICC_PROFILE"))
	}
	in := file(t, samples.JPEG(samples.Corners(80, 48), segments(profile)))
	p, err := r.Upright(t.Context(), in, out, filetype.JPEG, 6)
	if err != nil || count(out) != 2 {
		t.Fatalf("a large profile in %d segments: %v", count(out), err)
	}
	decoded(t, out, p)
	if _, err := r.Thumbnails(t.Context(), out, filetype.JPEG, thumb, preview); err != nil || count(thumb)+count(preview) != 0 {
		t.Errorf("a thumbnail carries 70 KB of profile: %v", err)
	}
	small := profile[:600]
	in = file(t, samples.JPEG(samples.Corners(80, 48), samples.Segment(0xe2, "ICC_PROFILE\x00\x01\x01"+string(small))))
	if _, err := r.Thumbnails(t.Context(), in, filetype.JPEG, thumb, preview); err != nil || count(thumb) != 1 || count(preview) != 1 {
		t.Errorf("a small profile is lost: %v", err)
	}
	copy(small[16:], "CMYK")
	in = file(t, samples.JPEG(samples.Corners(80, 48), samples.Segment(0xe2, "ICC_PROFILE\x00\x01\x01"+string(small))))
	if _, err := r.Thumbnails(t.Context(), in, filetype.JPEG, thumb, preview); err != nil || count(thumb) != 0 {
		t.Errorf("a profile of other colours is carried over: %v", err)
	}
}

func TestThumbnailsFitAndNothingIsEnlarged(t *testing.T) {
	r := open(t)
	thumb, preview := filepath.Join(t.TempDir(), "thumb"), filepath.Join(t.TempDir(), "preview")
	for _, c := range []struct {
		body                    []byte
		t                       filetype.Type
		thumb, preview, corners string
	}{
		{samples.JPEG(samples.Corners(4000, 3000)), filetype.JPEG, "320x240", "1280x960", "RGBW"},
		{samples.JPEG(samples.Corners(1000, 2001)), filetype.JPEG, "160x320", "640x1280", "RGBW"},
		{samples.PNG(samples.Corners(48, 32)), filetype.PNG, "48x32", "48x32", "RGBW"},
		{samples.PNG(samples.Corners(5000, 1)), filetype.PNG, "320x1", "1280x1", ""},
		{samples.WebP(700, 350, true), filetype.WebP, "320x160", "700x350", "RGBW"}, // the hole becomes white
	} {
		p, err := r.Thumbnails(t.Context(), file(t, c.body), c.t, thumb, preview)
		if err != nil {
			t.Fatal(err)
		}
		small, large := decoded(t, thumb, p.Thumb), decoded(t, preview, p.Preview)
		if got := fmt.Sprintf("%dx%d", p.Thumb.Width, p.Thumb.Height); got != c.thumb {
			t.Errorf("thumb %s instead of %s", got, c.thumb)
		}
		if got := fmt.Sprintf("%dx%d", p.Preview.Width, p.Preview.Height); got != c.preview {
			t.Errorf("preview %s instead of %s", got, c.preview)
		}
		if c.corners != "" && (corners(small) != c.corners || corners(large) != c.corners) {
			t.Errorf("corners %s and %s", corners(small), corners(large))
		}
	}
}

func TestWhatADecoderRefusesIsDamaged(t *testing.T) {
	r := open(t)
	dir := t.TempDir()
	thumb, preview := filepath.Join(dir, "thumb"), filepath.Join(dir, "preview")
	photo := samples.JPEG(samples.Photo(256, 256))
	broken := bytes.Clone(photo)
	scan := bytes.Index(broken, []byte{0xff, 0xda})
	copy(broken[scan+200:], bytes.Repeat([]byte{0xff, 0x00}, 2000)) // the structure stays whole
	_, kept, err := clean(t, broken)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body []byte
		t    filetype.Type
	}{
		"broken data": {kept, filetype.JPEG}, "no image": {[]byte("hello"), filetype.JPEG}, "half": {photo[:2000], filetype.JPEG},
		"a huge one": {append(samples.PNGHeader(50_000, 50_000), "more"...), filetype.PNG},
	} {
		if _, err := r.Thumbnails(t.Context(), file(t, c.body), c.t, thumb, preview); !errors.Is(err, reader.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	heic := samples.HEIC()
	if _, err := r.Upright(t.Context(), file(t, heic[:len(heic)/2]), thumb, filetype.HEIC, 1); !errors.Is(err, reader.ErrDamaged) {
		t.Errorf("half a HEIC: %v", err)
	}
	if _, err := r.PDF(t.Context(), file(t, []byte("%PDF-1.4 nothing")), thumb, preview); !errors.Is(err, reader.ErrDamaged) {
		t.Errorf("no PDF: %v", err)
	}
	_, err = r.Thumbnails(t.Context(), filepath.Join(dir, "missing"), filetype.JPEG, thumb, preview)
	if err == nil || errors.Is(err, reader.ErrDamaged) || errors.Is(err, reader.ErrTooHard) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func clean(t *testing.T, body []byte) (filetype.Info, []byte, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "clean"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := filetype.Clean(f, bytes.NewReader(body))
	if err != nil {
		return info, nil, err
	}
	kept, err := os.ReadFile(f.Name())
	return info, kept, err
}

func TestAPDFTellsItsPagesAndItsWords(t *testing.T) {
	r := open(t)
	thumb, preview := filepath.Join(t.TempDir(), "thumb"), filepath.Join(t.TempDir(), "preview")
	p, err := r.PDF(t.Context(), file(t, samples.PDF("Furnace warranty", "Serial 4711", "The end")), thumb, preview)
	if err != nil || p.Count != 3 || !strings.Contains(p.Text, "Furnace warranty") || !strings.Contains(p.Text, "The end") {
		t.Fatalf("%+v, %v", p, err)
	}
	m := decoded(t, preview, p.Pictures.Preview)
	if decoded(t, thumb, p.Pictures.Thumb); p.Pictures.Preview.Height != 1280 || p.Pictures.Thumb.Height != 320 {
		t.Errorf("%+v", p.Pictures)
	}
	if b := m.Bounds(); name(m.At(20, b.Dy()-20)) != "R" || name(m.At(b.Dx()-20, 20)) != "W" {
		t.Error("the first page is not drawn")
	}
	if p, err := r.PDF(t.Context(), file(t, samples.EncryptedPDF()), thumb, preview); err != nil || p != (reader.Pages{}) {
		t.Errorf("an encrypted one: %+v, %v", p, err)
	}
	if p, err = r.PDF(t.Context(), file(t, samples.PDF(many(300, strings.Repeat("words ", 400))...)), thumb, preview); err != nil ||
		p.Count != 300 || len(p.Text) > reader.TextSize || len(p.Text) < reader.TextSize-100 {
		t.Errorf("a long one: %d pages, %d bytes, %v", p.Count, len(p.Text), err)
	}
}

func many(n int, text string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = text
	}
	return out
}

func TestTheWordsOfTexts(t *testing.T) {
	r := open(t)
	for name, c := range map[string]struct {
		body []byte
		t    filetype.Type
		want string
	}{
		"text":       {[]byte("\ufeffThe boiler\r\nis old\x00."), filetype.PlainText, "The boiler\nis old."},
		"docx":       {samples.Office("word/document.xml", samples.Paragraph("Roof &amp; walls")), filetype.DOCX, "Roof & walls\n"},
		"odt":        {samples.OpenDocument(filetype.ODT, "Chimney sweep"), filetype.ODT, "Chimney sweep\n"},
		"xlsx":       {samples.Office("xl/workbook.xml", "<workbook/>"), filetype.XLSX, ""},
		"doc":        {samples.OLE("WordDocument"), filetype.DOC, ""},
		"a long one": {[]byte(strings.Repeat("ä", reader.TextSize)), filetype.PlainText, strings.Repeat("ä", reader.TextSize/2)},
	} {
		if got, err := r.Text(t.Context(), file(t, c.body), c.t); err != nil || got != c.want {
			t.Errorf("%s: %.40q (%d), %v", name, got, len(got), err)
		}
	}
	bomb := samples.Office("word/document.xml", samples.Paragraph(strings.Repeat(" ", 40<<20)))
	if got, err := r.Text(t.Context(), file(t, bomb), filetype.DOCX); len(got) > reader.TextSize {
		t.Errorf("a bomb: %d bytes, %v", len(got), err)
	}
	if _, err := r.Text(t.Context(), file(t, []byte("PK")), filetype.DOCX); !errors.Is(err, reader.ErrDamaged) {
		t.Errorf("no docx: %v", err)
	}
}

func TestADecoderThatGoesWrongStopsNobody(t *testing.T) {
	r := openWith(t, reader.Options{Timeout: 2 * time.Second})
	for op, want := range map[string]error{"hang": reader.ErrTooHard, "crash": reader.ErrTooHard, "panic": reader.ErrDamaged} {
		if _, err := r.Perform(t.Context(), op); !errors.Is(err, want) {
			t.Errorf("%s: %v", op, err)
		}
		if got, err := r.Text(t.Context(), file(t, []byte("the next")), filetype.PlainText); err != nil || got != "the next" {
			t.Errorf("after %s: %q, %v", op, got, err)
		}
	}
}

func TestADecoderThatEatsAllMemoryIsEnded(t *testing.T) {
	r := openWith(t, reader.Options{})
	if _, err := r.Perform(t.Context(), "eat"); !errors.Is(err, reader.ErrTooHard) || !strings.Contains(err.Error(), "memory") {
		t.Errorf("%v", err)
	}
}

func TestWhoeverAsksMayLoseInterest(t *testing.T) {
	r := openWith(t, reader.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	done := make(chan error, 2)
	for range 2 { // the second waits for the first
		go func() { _, err := r.Perform(ctx, "hang"); done <- err }()
	}
	for range 2 {
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	}
	if _, err := r.Perform(t.Context(), "who"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAChildKnowsNoSecrets(t *testing.T) {
	t.Setenv("HEARTH_DATABASE_URL", "secret")
	r := openWith(t, reader.Options{})
	env, err := r.Perform(t.Context(), "environment")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(env.Text) {
		key, _, _ := strings.Cut(line, "=")
		switch key {
		case "PATH", "HOME", "TMPDIR", "GOMEMLIMIT", "GOMAXPROCS", "GOTRACEBACK", "HEARTH_READER_DIR":
		default:
			t.Errorf("it knows %s", line)
		}
	}
}

func who(t *testing.T, r *reader.Reader) int {
	t.Helper()
	p, err := r.Perform(t.Context(), "who")
	if err != nil {
		t.Fatal(err)
	}
	return p.Count
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestChildrenComeAndGo(t *testing.T) {
	r := openWith(t, reader.Options{Files: 2})
	first := who(t, r)
	if second := who(t, r); second != first {
		t.Error("each file has a child of its own")
	}
	third := who(t, r)
	if third == first || !gone(first) {
		t.Error("a child reads more files than it should")
	}
	if err := syscall.Kill(third, syscall.SIGKILL); err != nil { // while it has nothing to do
		t.Fatal(err)
	}
	if fourth := who(t, r); fourth == third {
		t.Error("a dead child answers")
	}
	idle := openWith(t, reader.Options{Idle: 50 * time.Millisecond})
	child := who(t, idle)
	testkit.Eventually(t, "a child without work ends", func() bool { return gone(child) })
	last := who(t, idle)
	if err := idle.Close(); err != nil || !gone(last) {
		t.Errorf("a child outlives its reader: %v", err)
	}
	if _, err := idle.Perform(t.Context(), "who"); !errors.Is(err, reader.ErrClosed) {
		t.Errorf("a closed one: %v", err)
	}
	missing := openWith(t, reader.Options{Program: "/nowhere"})
	if _, err := missing.Perform(t.Context(), "who"); err == nil || errors.Is(err, reader.ErrTooHard) || errors.Is(err, reader.ErrDamaged) {
		t.Errorf("without a program: %v", err)
	}
	other := openWith(t, reader.Options{Program: "/bin/true"})
	if _, err := other.Perform(t.Context(), "who"); err == nil || errors.Is(err, reader.ErrTooHard) || errors.Is(err, reader.ErrDamaged) {
		t.Errorf("with another program: %v", err)
	}
}

// beParent starts a child that hangs, tells its id and waits to be killed.
func beParent() {
	r := reader.New(reader.Options{Timeout: time.Hour})
	p, err := r.Perform(context.Background(), "who")
	if err != nil {
		panic(err)
	}
	fmt.Println(p.Count)
	_, _ = r.Perform(context.Background(), "hang")
}

func TestAChildEndsWithItsParentAlsoWhileItReads(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(program, "parent")
	out, err := parent.StdoutPipe()
	if err == nil {
		err = parent.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 20)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil || gone(child) {
		t.Fatalf("the child %q: %v", line[:n], err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	testkit.Eventually(t, "the child has ended", func() bool { return ended(child) })
}

// ended is also true of a process that only waits for somebody to notice: its new parent may take its time.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return gone(pid)
	}
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return len(state) > 0 && state[0] == 'Z'
}

var _, _ = jpeg.Decode, png.Decode // registered for decoded
