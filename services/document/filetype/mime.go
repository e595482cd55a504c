package filetype

// ByMIME is the type that is kept with that MIME type; the zero Type when there is none.
func ByMIME(mime string) Type {
	for _, t := range []Type{JPEG, PNG, WebP, PDFFile, PlainText, DOCX, XLSX, PPTX, ODT, ODS, ODP, DOC, XLS, PPT} {
		if t.MIME == mime {
			return t
		}
	}
	return Type{}
}
