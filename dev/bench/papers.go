package bench

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"mime/multipart"
	"strings"
	"time"
)

const paperSize = 500 // bytes of a document in a list, at the least

// benchPapers measures the list of fifty documents beside the floor, and by themselves the equipment, its history, and a
// photo as it goes in and comes out.
func benchPapers(ctx context.Context, o Options, gateway string, f *floor) error {
	ours, home, err := household(ctx, gateway, 0)
	if err != nil {
		return err
	}
	c := &client{base: gateway, token: strings.TrimPrefix(ours.header["Authorization"], "Token ")}
	var furnace struct{ ID string }
	for i := range fullBoard {
		if err := c.post(ctx, "/api/equipment/", map[string]any{"residence_id": home, "name": fmt.Sprintf("Furnace %d", i), "category": "heating"}, &furnace); err != nil {
			return err
		}
		body := map[string]any{
			"residence_id": home, "title": fmt.Sprintf("Warranty number %d", i), "document_type": "warranty", "equipment_id": furnace.ID,
			"provider": "Northwind Heating", "end_date": time.Now().AddDate(0, 0, 30*i).Format(time.DateOnly),
		}
		if err := c.post(ctx, "/api/documents/", body, nil); err != nil {
			return err
		}
	}
	photo, err := picture()
	if err != nil {
		return err
	}
	begun := time.Now()
	id, err := c.upload(ctx, photo)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	at := func(path string, wants int) target {
		return target{name: "Hearth", url: gateway + path, header: ours.header, wants: wants}
	}
	floor, err := f.list(ctx, floorPapers, o.Redis, home, fullBoard*paperSize)
	if err != nil {
		return err
	}
	a, z, err := versus(ctx, at("/api/documents/", fullBoard*paperSize), floor, o.Each)
	if err != nil {
		return err
	}
	report(o.Out, "list of 50 documents", a, z)
	for _, b := range []struct {
		what string
		target
	}{
		{"search among them", at("/api/documents/?q=warr+north", paperSize)},
		{"list of 50 equipment", at("/api/equipment/", fullBoard*300)},
		{"history of one", at("/api/equipment/"+furnace.ID+"/history/", 300)},
		{fmt.Sprintf("photo of %d KiB", len(photo)>>10), at("/api/media/"+id+"/", len(photo)/2)},
	} {
		r, err := measured(ctx, b.target, o.Each/rounds)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(o.Out, "%-28s %8.0f req/s  p50 %6.2f ms  p99 %6.2f ms\n", b.what, r.rate(), millis(r.percentile(.5)), millis(r.percentile(.99)))
	}
	_, _ = fmt.Fprintf(o.Out, "%-28s %8.1f ms, once\n", "sending it", millis(took))
	return nil
}

// picture is a photo of three megapixels.
func picture() ([]byte, error) {
	m := image.NewYCbCr(image.Rect(0, 0, 2000, 1500), image.YCbCrSubsampleRatio420)
	for i := range m.Y {
		m.Y[i] = byte(i*7 ^ i>>9) //nolint:gosec // any grain will do
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: 60}); err != nil {
		return nil, fmt.Errorf("photo: %w", err)
	}
	return out.Bytes(), nil
}

func (c *client) upload(ctx context.Context, file []byte) (id string, err error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("file", "photo.jpg")
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", fmt.Errorf("upload: %w", err)
	}
	var upload struct{ ID string }
	err = c.send(ctx, "/api/uploads/", w.FormDataContentType(), &body, &upload)
	return upload.ID, err
}
