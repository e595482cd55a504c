package e2e

import (
	"bytes"
	"testing"

	"hearth.internal/document/filetype/samples"
	"hearth.internal/pkg/testkit"
)

// TestPicturesAreSeenWhereTheyBelong: photos of what was done and a contractor's papers by who sees the residence, an
// avatar by who shares one, and all of it by nobody else; what was done and what there is on paper in the report.
func TestPicturesAreSeenWhereTheyBelong(t *testing.T) {
	w := start(t)
	ada, sam, eve := w.join(t, "Ada"), w.join(t, "Sam"), w.join(t, "Eve")
	house := ada.home("Maple Street")
	ada.invite(sam, house)
	shows := func(p *person, id string, status int) {
		t.Helper()
		testkit.Eventually(t, "a picture is seen by who may see it", func() bool { return p.call("GET", "/api/media/"+id+"/?size=thumb", nil).Status == status })
	}

	photo, theirs := ada.upload("roof.jpg", samples.JPEG(samples.Photo(1600, 1200))), eve.upload("eve.jpg", samples.JPEG(samples.Photo(64, 48)))
	task := ada.task(house, "Replace tiles", map[string]any{"equipment_id": ada.equipment(house, "Slate roof")})
	done := map[string]any{"task_id": task, "upload_ids": []string{photo, theirs}, "actual_cost": "642.50"}
	refused := ada.want(422, "POST", "/api/task-completions/", done)
	if refused.text("errors.0.location") != "body.upload_ids[1]" {
		t.Errorf("refused: %s", refused.Body)
	}
	done["upload_ids"] = []string{photo}
	completion := ada.want(201, "POST", "/api/task-completions/", done).text("id")
	shows(sam, photo, 200)
	shows(eve, photo, 404)
	sam.want(200, "PUT", "/api/task-completions/"+completion+"/", map[string]any{"upload_ids": []string{photo}, "notes": "Eleven tiles", "actual_cost": "642.50"})

	card := ada.upload("card.pdf", samples.PDF("Rosa Becker, roofs"))
	rosa := ada.want(201, "POST", "/api/contractors/", map[string]any{"name": "Rosa", "residence_id": house, "upload_ids": []string{card}}).text("id")
	testkit.Eventually(t, "the card is seen", func() bool { return sam.call("GET", "/api/media/"+card+"/", nil).Status == 200 })
	eve.want(404, "GET", "/api/media/"+card+"/", nil)
	ada.want(200, "PATCH", "/api/contractors/"+rosa+"/", map[string]any{"residence_id": nil})
	testkit.Eventually(t, "the card is hers alone", func() bool { return sam.call("GET", "/api/media/"+card+"/", nil).Status == 404 })
	ada.want(200, "GET", "/api/media/"+card+"/", nil)

	ada.want(422, "PATCH", "/api/auth/profile/", map[string]any{"avatar_upload_id": card})
	face := ada.upload("ada.jpg", samples.JPEG(samples.Photo(300, 300)))
	eve.want(422, "PATCH", "/api/auth/profile/", map[string]any{"avatar_upload_id": face})
	ada.want(200, "PATCH", "/api/auth/profile/", map[string]any{"avatar_upload_id": face})
	shows(sam, face, 200)
	shows(eve, face, 404)

	ada.paper(house, map[string]any{"title": "Roof warranty", "document_type": "warranty", "end_date": "2035-01-01"})
	for _, kind := range []string{"tasks", "history"} {
		report := sam.want(200, "POST", "/api/residences/"+house+"/generate-"+kind+"-report/", map[string]any{})
		if n := bytes.Count(report.Body, []byte("/Subtype /Image")); n != 1 {
			t.Errorf("the %s report shows %d photos", kind, n)
		}
	}
	ada.want(204, "DELETE", "/api/task-completions/"+completion+"/", nil)
	shows(sam, photo, 404)
	if n := w.sound(t); n != 4 {
		t.Errorf("%d uploads are left", n)
	}
}
