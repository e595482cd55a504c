// Package report makes PDF reports about a home: what is to be done and what was (WriteTasks), and the home's history for
// insurers and buyers (WriteHistory). It is pure: data in, PDF out; it asks no store and no service.
//
// Pages are drawn with fpdf, which takes half the memory and time of the other libraries tried. What it lacks is here:
// text that falls back from one font to the next (Noto Sans, WenQuanYi Micro Hei for Chinese, Japanese and Korean, Noto
// Emoji) and breaks where it may, tables whose header comes again on every page, charts, thumbnails. Only the glyphs that
// a report shows are embedded in it.
//
// Memory is bounded by what the caller gives: pages are kept as text until the end, photos as thumbnails and at most
// maxPhotos of them. Whatever is left out is said in the report.
package report
