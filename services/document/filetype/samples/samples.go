// Package samples makes the files that tests send: one of every type that is taken, and those that somebody would send to
// do harm. They are small and made by code, but for one photo (heic/README.md).
package samples

import (
	"net/http"

	"hearth.internal/document/filetype"
)

// Sample is a file that somebody sends.
type Sample struct {
	Name     string // of the test
	Filename string
	Body     []byte
	Type     filetype.Type // of what it is, where it is Allowed; a HEIC is kept as a JPEG
	Status   int           // of the answer to its upload: 201 where it is taken
	Code     string        // of the refusal
	Kept     string        // of a hostile one that is taken: what its name becomes
	Gone     string        // likewise: what must not be in what is kept
}

// Allowed is one of every type that is taken.
func Allowed() []Sample {
	return []Sample{
		allowed("a JPEG", "roof.jpg", filetype.JPEG, JPEG(Corners(48, 32), EXIF(1))),
		allowed("a JPEG on its side", "side.jpg", filetype.JPEG, JPEG(Corners(48, 32), EXIF(6))),
		allowed("a PNG", "plan.png", filetype.PNG, PNG(Corners(48, 32))),
		allowed("a WebP", "stove.webp", filetype.WebP, WebP(48, 32, false)),
		allowed("a WebP that one sees through", "logo.webp", filetype.WebP, WebP(48, 32, true)),
		allowed("a HEIC", "IMG_0001.HEIC", filetype.HEIC, HEIC()),
		allowed("a PDF", "warranty.pdf", filetype.PDFFile, PDF("Furnace warranty")),
		allowed("a text", "notes.txt", filetype.PlainText, []byte("The boiler's serial number is 4711.\nÄußerst wichtig.\n")),
		allowed("a table", "costs.csv", filetype.PlainText, []byte("item,price\nfilter,12.90\nsalt,8.50\nvalve,31.00\n")),
		allowed("a docx", "contract.docx", filetype.DOCX, Office("word/document.xml", Paragraph("Roof contract"))),
		allowed("an xlsx", "costs.xlsx", filetype.XLSX, Office("xl/workbook.xml", "<workbook/>")),
		allowed("a pptx", "plan.pptx", filetype.PPTX, Office("ppt/presentation.xml", "<presentation/>")),
		allowed("an odt", "letter.odt", filetype.ODT, OpenDocument(filetype.ODT, "Chimney sweep")),
		allowed("an ods", "table.ods", filetype.ODS, OpenDocument(filetype.ODS, "Table")),
		allowed("an odp", "slides.odp", filetype.ODP, OpenDocument(filetype.ODP, "Slides")),
		allowed("a doc", "old.doc", filetype.DOC, OLE("WordDocument")),
		allowed("an xls", "old.xls", filetype.XLS, OLE("Workbook")),
		allowed("a ppt", "old.ppt", filetype.PPT, OLE("PowerPoint Document")),
	}
}

func allowed(name, filename string, t filetype.Type, body []byte) Sample {
	return Sample{Name: name, Filename: filename, Type: t, Body: body, Status: http.StatusCreated}
}
