package filetype

import (
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf16"
)

// oleHeader is the size of the header of an OLE storage, and of the part of the sector list that is in it.
const (
	oleHeader     = 512
	oleListed     = 109
	oleMaxSectors = 4096 // of the directory: 32,768 names and more
)

// ole is the old container of Office files: a file system in a file.
type ole struct {
	f     io.ReaderAt
	shift uint16 // a sector is 1<<shift bytes
	fat   [oleListed]uint32
}

// verifyOLE says which old Office file it is, by the names in its directory. It refuses one with macros where the
// directory shows them; those of a presentation are inside its one stream.
func verifyOLE(f io.ReaderAt, size int64) (Type, error) {
	var head [oleHeader]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return Type{}, err
	}
	o := &ole{f: f, shift: binary.LittleEndian.Uint16(head[30:])}
	if o.shift != 9 && o.shift != 12 {
		return Type{}, ErrDamaged
	}
	for i := range o.fat {
		o.fat[i] = binary.LittleEndian.Uint32(head[76+4*i:])
	}
	found := Type{}
	sector := binary.LittleEndian.Uint32(head[48:])
	for range oleMaxSectors {
		if sector >= 0xfffffffa { // no further one
			if found == (Type{}) {
				return Type{}, ErrNotAllowed
			}
			return found, nil
		}
		if o.at(sector) >= size {
			return Type{}, ErrDamaged
		}
		if err := o.names(sector, &found); err != nil {
			return Type{}, err
		}
		next, err := o.next(sector)
		if err != nil {
			return Type{}, err
		}
		sector = next
	}
	return Type{}, ErrDamaged
}

func (o *ole) at(sector uint32) int64 { return (int64(sector) + 1) << o.shift }

// next is the sector that follows. A directory whose sectors are listed outside of the header (a file of more than 7 MiB
// that was written in an unusual order) is taken to end there.
func (o *ole) next(sector uint32) (uint32, error) {
	perSector := uint32(1) << (o.shift - 2)
	list := sector / perSector
	if list >= oleListed {
		return 0xfffffffe, nil
	}
	var p [4]byte
	if _, err := o.f.ReadAt(p[:], o.at(o.fat[list])+int64(sector%perSector)*4); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(p[:]), nil
}

// names looks at the entries of one sector of the directory.
func (o *ole) names(sector uint32, found *Type) error {
	for i := int64(0); i < 1<<o.shift; i += 128 {
		var p [128]byte
		if _, err := o.f.ReadAt(p[:], o.at(sector)+i); err != nil {
			return err
		}
		switch strings.ToLower(oleName(p[:])) {
		case "worddocument":
			*found = DOC
		case "workbook", "book":
			if *found == (Type{}) { // a document may embed one
				*found = XLS
			}
		case "powerpoint document":
			*found = PPT
		case "macros", "vba", "_vba_project", "_vba_project_cur":
			return ErrNotAllowed
		}
	}
	return nil
}

func oleName(p []byte) string {
	n := min(int(binary.LittleEndian.Uint16(p[64:])), 64) / 2
	units := make([]uint16, 0, n)
	for i := range n {
		if u := binary.LittleEndian.Uint16(p[2*i:]); u != 0 {
			units = append(units, u)
		}
	}
	return string(utf16.Decode(units))
}
