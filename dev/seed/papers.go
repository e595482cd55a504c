package seed

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"

	"codeberg.org/go-pdf/fpdf"
)

// papers are what the household has of equipment, documents and photos.
func (h *household) papers(house, cabin, plumber string) {
	furnace := h.equip("equipment-furnace", house, "Furnace", "heating", map[string]any{
		"manufacturer": "Northwind", "model_number": "NW-96V", "serial_number": "N96-204-7715", "location": "Basement",
		"purchase_price": "4200.00", "install_date": h.day(-1460), "expected_life_years": 18, "upload_ids": []string{h.photo("photo-furnace", "furnace.jpg", color.RGBA{0x5b, 0x6b, 0x7b, 0xff})},
	})
	heater := h.equip("equipment-heater", house, "Water heater", "water", map[string]any{
		"manufacturer": "Caldera", "model_number": "C-50G", "location": "Basement", "purchase_price": "1380.00", "install_date": h.day(-2900), "expected_life_years": 10,
	})
	fridge := h.equip("equipment-fridge", house, "Refrigerator", "appliance", map[string]any{
		"manufacturer": "Fjord", "model_number": "F36-B", "serial_number": "F36B-88120", "location": "Kitchen", "purchase_price": "2149.00",
		"purchase_date": h.day(-340), "expected_life_years": 14,
	})
	roof := h.equip("equipment-roof", house, "Roof", "roof", map[string]any{"notes": "Architectural shingles, slate gray.", "install_date": h.day(-3650), "expected_life_years": 25})
	h.equip("equipment-stove", cabin, "Wood stove", "heating", map[string]any{"manufacturer": "Hearthstead", "location": "Living room", "install_date": h.day(-5200), "expected_life_years": 30})

	h.paper("document-furnace", house, "Furnace warranty", "warranty", map[string]any{
		"equipment_id": furnace, "item_name": "Northwind NW-96V", "provider": "Northwind Heating", "claim_phone": "+1 800 555 0111", "claim_email": "claims@northwind.example",
		"start_date": h.day(-1460), "end_date": h.day(365), "price": "0.00",
		"upload_id": h.pdf("pdf-furnace", "furnace-warranty.pdf", "Limited warranty", "Furnace NW-96V, serial N96-204-7715.", "Heat exchanger: 20 years. Other parts: 5 years.", "Serviced once a year by a licensed technician, or the warranty ends."),
	})
	h.paper("document-fridge", house, "Refrigerator warranty", "warranty", map[string]any{
		"equipment_id": fridge, "item_name": "Fjord F36-B", "serial_number": "F36B-88120", "provider": "Fjord Appliances", "claim_website": "https://fjord.example/claims",
		"purchase_date": h.day(-340), "start_date": h.day(-340), "end_date": h.day(25), "price": "2149.00",
		"upload_id": h.pdf("pdf-fridge", "fjord-receipt.pdf", "Receipt", "1 x Fjord F36-B refrigerator 2,149.00 USD", "Warranty: one year, parts and labor."),
	})
	h.paper("document-roof", house, "Roof inspection", "inspection", map[string]any{
		"equipment_id": roof, "description": "No loose shingles, flashing at the chimney resealed.",
		"image_ids": []string{h.photo("photo-roof-1", "roof-south.jpg", color.RGBA{0x70, 0x5a, 0x4a, 0xff}), h.photo("photo-roof-2", "roof-chimney.jpg", color.RGBA{0x8a, 0x4b, 0x3a, 0xff})},
	})
	h.paper("document-insurance", house, "Homeowner's insurance", "insurance", map[string]any{"provider": "Cascade Mutual", "start_date": h.day(-80), "end_date": h.day(285), "price": "1264.00"})
	h.paper("document-manual", house, "Water heater manual", "manual", map[string]any{
		"equipment_id": heater, "upload_id": h.pdf("pdf-heater", "c-50g-manual.pdf", "Owner's manual C-50G", "Flush the tank once a year.", "Check the anode rod every three years.", "Test the pressure relief valve every six months."),
	})
	h.call(h.owner, http.MethodPatch, "/api/contractors/"+plumber+"/", map[string]any{"upload_ids": []string{h.pdf("pdf-licence", "delgado-licence.pdf", "Contractor's license", "Delgado Plumbing, CCB 218844", "Bonded and insured.")}})
	h.call(h.owner, http.MethodPatch, "/api/auth/profile/", map[string]any{"avatar_upload_id": h.photo("photo-ada", "ada.jpg", color.RGBA{0x2f, 0x6f, 0x6a, 0xff})})
}

func (h *household) day(days int) string { return h.now.AddDate(0, 0, days).Format(time.DateOnly) }

func (h *household) equip(key, residence, name, category string, more map[string]any) string {
	more["residence_id"], more["name"], more["category"] = residence, name, category
	return h.add(h.owner, "/api/equipment/", key, more)
}

func (h *household) paper(key, residence, title, kind string, more map[string]any) {
	more["residence_id"], more["title"], more["document_type"] = residence, title, kind
	h.add(h.owner, "/api/documents/", key, more)
}

// upload sends a file and answers its id.
func (h *household) upload(key, filename string, file []byte) string {
	if h.err != nil {
		return ""
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	err := w.WriteField("id", seedID(key))
	if err == nil {
		part, partErr := w.CreateFormFile("file", url.PathEscape(filename))
		if err = partErr; err == nil {
			_, err = part.Write(file)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		_, err = h.owner.send(h.ctx, http.MethodPost, "/api/uploads/", w.FormDataContentType(), &body)
	}
	if err != nil {
		h.err = fmt.Errorf("demo household: %s: %w", filename, err)
	}
	return seedID(key)
}

// pdf is a page with a title and some lines.
func (h *household) pdf(key, filename, title string, lines ...string) string {
	doc := fpdf.New("P", "mm", "Letter", "")
	doc.SetTitle(title, false)
	doc.SetCreationDate(h.now)
	doc.AddPage()
	doc.SetFont("Helvetica", "B", 22)
	doc.Cell(0, 16, title)
	doc.Ln(20)
	doc.SetFont("Helvetica", "", 12)
	for _, line := range lines {
		doc.Cell(0, 8, line)
		doc.Ln(8)
	}
	var out bytes.Buffer
	if err := doc.Output(&out); err != nil && h.err == nil {
		h.err = fmt.Errorf("demo household: %s: %w", filename, err)
	}
	return h.upload(key, filename, out.Bytes())
}

// photo is a picture of a house at dusk, its wall in that colour: something that one tells apart when it is small.
func (h *household) photo(key, filename string, wall color.RGBA) string {
	const width, height = 960, 640
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetRGBA(x, y, scene(x, y, wall))
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 85}); err != nil && h.err == nil {
		h.err = fmt.Errorf("demo household: %s: %w", filename, err)
	}
	return h.upload(key, filename, out.Bytes())
}

// scene is the colour of a point of the picture.
func scene(x, y int, wall color.RGBA) color.RGBA {
	roof := 180 + max(x-480, 480-x)/2
	inside := x >= 260 && x < 700
	switch {
	case inside && y >= 320 && y < 520 && (x-300)%140 < 70 && (y-350)%200 < 90 && x >= 300:
		return color.RGBA{0xff, 0xd9, 0x8a, 0xff} // lit windows
	case inside && y >= 320 && y < 520:
		return wall
	case y >= roof && y < 320 && x >= 200 && x < 760:
		return color.RGBA{wall.R / 2, wall.G / 2, wall.B / 2, 0xff}
	case y >= 520:
		return color.RGBA{0x35, 0x4f, 0x38, 0xff}
	}
	return color.RGBA{uint8(0x30 + y/6), uint8(0x40 + y/8), uint8(0x70 + y/10), 0xff} //nolint:gosec // below 520 all of them fit
}
