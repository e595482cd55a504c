package filetype

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// What an Office file may unpack to. Whoever unpacks it (reader) holds itself to limits all the same: the directory that
// is looked at here may lie.
const (
	maxEntries  = 10_000
	maxUnpacked = 256 << 20
	maxRatio    = 100
	smallEnough = 4 << 20 // at any ratio
)

// Verify says which Office file it is, by its directory: nothing is unpacked. It refuses one with macros, one that would
// unpack to very much or outside of its directory, and one that is not whole.
func Verify(f io.ReaderAt, size int64) (Type, error) {
	var head [4]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return Type{}, damagedAtEnd(fmt.Errorf("read the file: %w", err))
	}
	verify := verifyZIP
	if head == [4]byte{0xd0, 0xcf, 0x11, 0xe0} {
		verify = verifyOLE
	}
	t, err := verify(f, size)
	return t, damagedAtEnd(err)
}

// entry is a file in a ZIP, as its directory says.
type entry struct {
	name             string
	packed, unpacked int64
	method           uint16
	at               int64
}

func verifyZIP(f io.ReaderAt, size int64) (Type, error) {
	z := &zipFile{names: map[string]bool{}, size: size}
	if err := entries(f, size, func(e entry) error { return z.add(f, e) }); err != nil {
		return Type{}, err
	}
	return z.kind()
}

// zipFile is what was seen of a ZIP so far.
type zipFile struct {
	names            map[string]bool // of the parts that tell what it is
	mimetype         string
	size             int64
	packed, unpacked int64
}

func (z *zipFile) add(f io.ReaderAt, e entry) error {
	name := strings.ReplaceAll(e.name, `\`, "/")
	if path.IsAbs(name) || strings.Contains(name, ":") || slices.Contains(strings.Split(name, "/"), "..") {
		return ErrDamaged
	}
	lower := strings.ToLower(name)
	if path.Base(lower) == "vbaproject.bin" || strings.HasPrefix(lower, "basic/") || strings.HasPrefix(lower, "scripts/") {
		return ErrNotAllowed // macros
	}
	z.packed, z.unpacked = z.packed+e.packed, z.unpacked+e.unpacked
	if z.packed > z.size || z.unpacked > maxUnpacked || (z.unpacked > smallEnough && z.unpacked > maxRatio*z.size) {
		return ErrDamaged
	}
	switch name {
	case "mimetype":
		var err error
		z.mimetype, err = stored(f, e)
		return err
	case "[Content_Types].xml", "word/document.xml", "xl/workbook.xml", "ppt/presentation.xml", "content.xml":
		z.names[name] = true
	}
	return nil
}

func (z *zipFile) kind() (Type, error) {
	for _, t := range []struct {
		is bool
		Type
	}{
		{z.names["[Content_Types].xml"] && z.names["word/document.xml"], DOCX},
		{z.names["[Content_Types].xml"] && z.names["xl/workbook.xml"], XLSX},
		{z.names["[Content_Types].xml"] && z.names["ppt/presentation.xml"], PPTX},
		{z.names["content.xml"] && z.mimetype == ODT.MIME, ODT},
		{z.names["content.xml"] && z.mimetype == ODS.MIME, ODS},
		{z.names["content.xml"] && z.mimetype == ODP.MIME, ODP},
	} {
		if t.is {
			return t.Type, nil
		}
	}
	return Type{}, ErrNotAllowed
}

// directoryEnd is the size of the record at a ZIP's end, without the comment behind it.
const directoryEnd = 22

// entries hands on what the directory of a ZIP says, in the memory of one entry.
func entries(f io.ReaderAt, size int64, use func(entry) error) error {
	tail := make([]byte, min(size, directoryEnd+1<<16))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the file: %w", err)
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || len(tail)-at < directoryEnd {
		return ErrDamaged
	}
	end := tail[at:]
	count := int(binary.LittleEndian.Uint16(end[10:]))
	length, begin := int64(binary.LittleEndian.Uint32(end[12:])), int64(binary.LittleEndian.Uint32(end[16:]))
	// Nothing stands between the directory and its end: readers that look for it elsewhere would see another one. So does
	// nothing as large as to need the 64-bit form.
	if begin+length != size-int64(len(end)) || int(binary.LittleEndian.Uint16(end[20:])) != len(end)-directoryEnd || count > maxEntries {
		return ErrDamaged
	}
	for range count {
		e, next, err := readEntry(f, begin)
		if err != nil {
			return err
		}
		if err := use(e); err != nil {
			return err
		}
		length, begin = length-(next-begin), next
	}
	if length != 0 {
		return ErrDamaged
	}
	return nil
}

func readEntry(f io.ReaderAt, at int64) (e entry, next int64, err error) {
	var p [46]byte
	if _, err := f.ReadAt(p[:], at); err != nil {
		return e, 0, err
	}
	if string(p[:4]) != "PK\x01\x02" {
		return e, 0, ErrDamaged
	}
	u16 := func(i int) int64 { return int64(binary.LittleEndian.Uint16(p[i:])) }
	u32 := func(i int) int64 { return int64(binary.LittleEndian.Uint32(p[i:])) }
	name := make([]byte, u16(28))
	if _, err := f.ReadAt(name, at+int64(len(p))); err != nil {
		return e, 0, err
	}
	e = entry{name: string(name), packed: u32(20), unpacked: u32(24), method: binary.LittleEndian.Uint16(p[10:]), at: u32(42)}
	return e, at + int64(len(p)) + u16(28) + u16(30) + u16(32), nil
}

// stored is what is in a small entry that is not compressed; of another one, nothing.
func stored(f io.ReaderAt, e entry) (string, error) {
	if e.method != 0 || e.packed > 100 {
		return "", nil
	}
	var head [30]byte
	if _, err := f.ReadAt(head[:], e.at); err != nil {
		return "", err
	}
	skip := int64(binary.LittleEndian.Uint16(head[26:])) + int64(binary.LittleEndian.Uint16(head[28:]))
	p := make([]byte, e.packed)
	if _, err := f.ReadAt(p, e.at+int64(len(head))+skip); err != nil {
		return "", err
	}
	return string(p), nil
}
