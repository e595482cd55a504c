package filetype_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"hearth.internal/document/filetype"
	"hearth.internal/document/filetype/samples"
)

// clean cleans the file as an upload does, a few bytes at a time, and gives what would be kept.
func clean(t testing.TB, src io.Reader) (filetype.Info, []byte, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "clean"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := filetype.Clean(f, src)
	if err != nil {
		return info, nil, err
	}
	kept, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if info.Size != int64(len(kept)) {
		t.Errorf("it says %d bytes and has %d", info.Size, len(kept))
	}
	return info, kept, nil
}

func TestEveryAllowedTypeIsTaken(t *testing.T) {
	for _, s := range samples.Allowed() {
		t.Run(s.Name, func(t *testing.T) {
			info, kept, err := clean(t, iotest.OneByteReader(bytes.NewReader(s.Body)))
			if err != nil || info.Type != s.Type {
				t.Fatalf("%+v, %v", info, err)
			}
			if isImage := info.Type.Kind == filetype.Image; isImage != (info.Width > 0 && info.Height > 0) {
				t.Errorf("its size is %d by %d", info.Width, info.Height)
			}
			if name := filetype.SafeName(s.Filename, info.Type); name != s.Filename {
				t.Errorf("its name becomes %q", name)
			}
			if _, again, err := clean(t, bytes.NewReader(kept)); err != nil || !bytes.Equal(again, kept) {
				t.Errorf("what is clean changes when it is cleaned: %v", err)
			}
		})
	}
}

func TestWhatIsHostileIsRefusedOrLosesItsSting(t *testing.T) {
	for _, s := range samples.Hostile() {
		t.Run(s.Name, func(t *testing.T) {
			info, kept, err := clean(t, iotest.HalfReader(bytes.NewReader(s.Body)))
			if !errors.Is(err, s.Wrongly()) {
				t.Fatalf("%v instead of %v", err, s.Wrongly())
			}
			if err != nil || s.Kept == "" {
				return
			}
			if name := filetype.SafeName(s.Filename, info.Type); name != s.Kept {
				t.Errorf("its name becomes %q", name)
			}
			if s.Gone != "" && (!bytes.Contains(s.Body, []byte(s.Gone)) || bytes.Contains(kept, []byte(s.Gone))) {
				t.Error("what must go is still there")
			}
		})
	}
}

func TestAnImageKeepsItsColoursAndTellsHowItStands(t *testing.T) {
	profile := samples.Segment(0xe2, "ICC_PROFILE\x00\x01\x01the colours")
	photo := samples.JPEG(samples.Corners(48, 32), samples.Segment(0xe0, "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x01\x01abc"),
		samples.EXIF(6), samples.Segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00secret"), profile,
		samples.Segment(0xe2, "MPF\x00secret"), samples.Segment(0xed, "Photoshop 3.0\x00secret"), samples.Segment(0xfe, "secret"))
	info, kept, err := clean(t, bytes.NewReader(photo))
	if err != nil || info.Orientation != 6 || info.Width != 48 || info.Height != 32 || !info.Rework() {
		t.Fatalf("%+v, %v", info, err)
	}
	for _, gone := range []string{"Exif", "secret", "MPF", "abc", samples.Place} {
		if bytes.Contains(kept, []byte(gone)) {
			t.Errorf("%q is still there", gone)
		}
	}
	if !bytes.Contains(kept, profile) {
		t.Error("the colours are gone")
	}
	plan := samples.PNG(samples.Corners(8, 8), samples.Chunk("gAMA", "\x00\x00\xb1\x8f"), samples.Chunk("acTL", "\x00\x00\x00\x01\x00\x00\x00\x00"),
		samples.Chunk("eXIf", "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00"))
	if info, kept, err = clean(t, bytes.NewReader(plan)); err != nil || info.Orientation != 3 || !bytes.Contains(kept, []byte("gAMA")) ||
		bytes.Contains(kept, []byte("eXIf")) || bytes.Contains(kept, []byte("acTL")) {
		t.Errorf("PNG: %+v, %v", info, err)
	}
}

func TestAWebPTellsItsNewSize(t *testing.T) {
	plain := samples.WebP(48, 32, true)
	image := plain[12:]
	body := samples.RIFF(samples.RIFFChunk("VP8X", "\x1c\x00\x00\x00\x2f\x00\x00\x1f\x00\x00"), image,
		samples.RIFFChunk("EXIF", "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00"),
		samples.RIFFChunk("XMP ", "secret"))
	info, kept, err := clean(t, bytes.NewReader(append(body, "and more"...)))
	if err != nil || info.Orientation != 8 || info.Width != 48 {
		t.Fatalf("%+v, %v", info, err)
	}
	if want := samples.RIFF(samples.RIFFChunk("VP8X", "\x10\x00\x00\x00\x2f\x00\x00\x1f\x00\x00"), image); !bytes.Equal(kept, want) {
		t.Errorf("kept: %q", kept)
	}
}

func TestARealPDFMayBeUntidyAtItsEnd(t *testing.T) {
	paper := samples.PDF("Warranty")
	for name, body := range map[string][]byte{
		"blanks behind it":     append(bytes.Clone(paper), bytes.Repeat([]byte("\r\n"), 300)...),
		"an encrypted one":     samples.EncryptedPDF(),
		"larger than a buffer": bytes.Replace(paper, []byte("%%EOF"), append(bytes.Repeat([]byte("% x\n"), 10_000), "startxref\n1\n%%EOF"...), 1),
	} {
		if info, kept, err := clean(t, bytes.NewReader(body)); err != nil || info.Type != filetype.PDFFile || !bytes.Equal(kept, body) {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	if _, _, err := clean(t, bytes.NewReader(append(paper, make([]byte, 5000)...))); !errors.Is(err, filetype.ErrDamaged) {
		t.Errorf("with 5,000 bytes behind it: %v", err)
	}
}

func TestATextMayBeInAnyLanguage(t *testing.T) {
	for _, text := range []string{
		"a", "\ufeffWith a mark", strings.Repeat("Füße 家 🏠 ", 5000), strings.Repeat("x", filetype.HeadSize-1) + "家",
		"a < b and b > c", "{\"serial\": 4711}", "Subject: boiler\nFrom: me@example.org\nDate: Mon, 2 Nov 2026 10:00:00 +0000\n\nIt leaks.\n",
	} {
		if info, kept, err := clean(t, strings.NewReader(text)); err != nil || info.Type != filetype.PlainText || string(kept) != text {
			t.Errorf("%.20q: %+v, %v", text, info, err)
		}
	}
	for _, text := range []string{"caf\xe9 au lait", strings.Repeat("x", 20_000) + "\xc3", strings.Repeat("x", 20_000) + "\xff" + "x", "{\\rtf1 x}"} {
		if _, _, err := clean(t, strings.NewReader(text)); !errors.Is(err, filetype.ErrNotAllowed) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestAnOfficeFileIsWhatItsDirectorySays(t *testing.T) {
	far := []samples.Part{{Name: "docProps/thumbnail.jpeg", Data: string(samples.JPEG(samples.Photo(200, 200)))}, {Name: "[Content_Types].xml", Data: "<Types/>"}}
	body := samples.ZIP(append(far, samples.Part{Name: "xl/workbook.xml", Data: "<workbook/>"})...)
	if info, _, err := clean(t, bytes.NewReader(body)); err != nil || info.Type != filetype.XLSX {
		t.Errorf("with its parts far behind: %+v, %v", info, err)
	}
	names := make([]string, 6)
	for i := range names {
		names[i] = "Stream"
	}
	if info, _, err := clean(t, bytes.NewReader(samples.OLE(append(names, "WordDocument")...))); err != nil || info.Type != filetype.DOC {
		t.Errorf("with a directory of two sectors: %+v, %v", info, err)
	}
	if _, _, err := clean(t, bytes.NewReader(append(body, "PK\x05\x06 and more"...))); !errors.Is(err, filetype.ErrDamaged) {
		t.Errorf("with something behind its end: %v", err)
	}
}

func TestWhatCannotBeReadIsNotTheFilesFault(t *testing.T) {
	broken := errors.New("the line broke")
	for _, s := range samples.Allowed() {
		src := io.MultiReader(bytes.NewReader(s.Body[:len(s.Body)/2]), iotest.ErrReader(broken))
		if _, _, err := clean(t, src); !errors.Is(err, broken) {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"roof.jpg": "roof.jpg", "ROOF.JPEG": "ROOF.JPEG", "roof": "roof.jpg", "roof.exe": "roof.jpg", "roof.jpg.exe": "roof.jpg",
		"": "file.jpg", ".jpg": "file.jpg", "..": "file.jpg", ".htaccess": "htaccess.jpg", "a/b\\c.jpg": "c.jpg", "v1.2": "v1.2.jpg",
		"Mr. Smith and his roof": "Mr. Smith and his roof.jpg", "u\u0308ber.jpg": "über.jpg", "gpj.\u202eexe": "gpj.jpg", "a\tb\nc.jpg": "abc.jpg",
		"\xff\xfe.jpg": "file.jpg", "a\u00a0b.jpg": "a b.jpg", strings.Repeat("ä", 300) + ".jpg": strings.Repeat("ä", 196) + ".jpg",
	} {
		if got := filetype.SafeName(name, filetype.JPEG); got != want {
			t.Errorf("%q becomes %q, not %q", name, got, want)
		}
	}
	if got := filetype.SafeName("IMG_1.HEIC", filetype.HEIC); got != "IMG_1.HEIC" {
		t.Error(got)
	}
	if got := filetype.SafeName("costs.csv", filetype.PlainText); got != "costs.csv" {
		t.Error(got)
	}
}

// fuzz checks of whatever is taken that it is clean: cleaning it again changes nothing.
func fuzz(f *testing.F, t filetype.Type) {
	for _, s := range append(samples.Allowed(), samples.Hostile()...) {
		if got, err := filetype.Sniff(s.Body); err == nil && got == t && len(s.Body) < 1<<20 {
			f.Add(s.Body)
		}
	}
	path := filepath.Join(f.TempDir(), "clean")
	f.Fuzz(func(t *testing.T, body []byte) {
		first, kept, err := through(path, body)
		if err != nil {
			return
		}
		second, again, err := through(path, kept)
		if err != nil || !bytes.Equal(kept, again) {
			t.Fatalf("what is clean changes: %v", err)
		}
		if second.Orientation > 1 || second.Width != first.Width || second.Height != first.Height {
			t.Errorf("%+v becomes %+v", first, second)
		}
	})
}

func through(path string, body []byte) (filetype.Info, []byte, error) {
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	info, err := filetype.Clean(f, bytes.NewReader(body))
	if err != nil {
		return info, nil, err
	}
	kept, err := os.ReadFile(path)
	return info, kept, err
}

func FuzzJPEG(f *testing.F) { fuzz(f, filetype.JPEG) }
func FuzzPNG(f *testing.F)  { fuzz(f, filetype.PNG) }
func FuzzWebP(f *testing.F) { fuzz(f, filetype.WebP) }
func FuzzHEIC(f *testing.F) { fuzz(f, filetype.HEIC) }
