package billing_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/billing"
	"hearth.internal/pkg/testkit"
)

func promotionKeys(t *testing.T, app *testkit.Client, platform string) string {
	t.Helper()
	path := "/api/subscription/promotions/"
	if platform != "" {
		path += "?platform=" + platform
	}
	keys := []string{}
	for _, p := range testkit.JSON[[]billing.Promotion](t, app.Want(200, "GET", path, nil)) {
		keys = append(keys, p.Key)
	}
	return strings.Join(keys, " ")
}

// TestPromotionsAreForWhomTheySay: by tier, platform, dates and share, the most important first.
func TestPromotionsAreForWhomTheySay(t *testing.T) {
	s, p := probe(t)
	part := s.AsPart(t, "admin")
	at := func(d time.Duration) string { return start.Add(d).Format(time.RFC3339) }
	for i, body := range []fields{
		{"key": "all", "priority": 1},
		{"key": "important", "priority": 9},
		{"key": "for_free", "tiers": []string{"free"}, "priority": 8},
		{"key": "for_pro", "tiers": []string{"pro"}, "priority": 7},
		{"key": "for_both", "tiers": []string{"free", "pro"}, "platforms": []string{"ios", "android", "web"}},
		{"key": "on_ios", "platforms": []string{"ios"}, "priority": 6},
		{"key": "on_phones", "platforms": []string{"ios", "android"}, "priority": 5},
		{"key": "pro_on_web", "tiers": []string{"pro"}, "platforms": []string{"web"}, "priority": 4},
		{"key": "nobodys", "share": 0},
		{"key": "hidden", "is_active": false},
		{"key": "over", "ends_at": at(0), "priority": 20},
		{"key": "today", "starts_at": at(0), "ends_at": at(day), "priority": 3},
		{"key": "tomorrow", "starts_at": at(day), "priority": 2},
	} {
		part.Want(201, "PUT", fmt.Sprintf("%spromotions/0192f000-0000-7000-8000-0000000000%02x", admin, i+1), promo.with(body))
	}
	ann, bob := uuid.New(), uuid.New()
	if _, err := p.Take(t.Context(), billing.Apple, bought(bob, "1000", 2*day)); err != nil {
		t.Fatal(err)
	}
	want := func(user uuid.UUID, platform, wanted string) {
		t.Helper()
		if got := promotionKeys(t, s.As(t, user), platform); got != wanted {
			t.Errorf("on %q: %q, wanted %q", platform, got, wanted)
		}
	}
	want(ann, "ios", "important for_free on_ios on_phones today all for_both")
	want(ann, "android", "important for_free on_phones today all for_both")
	want(ann, "web", "important for_free today all for_both")
	want(ann, "", "important for_free today all")
	want(bob, "web", "important for_pro pro_on_web today all for_both")
	s.As(t, ann).Refused(422, "validation_failed", "GET", "/api/subscription/promotions/?platform=windows", nil)
	if got := warm(t, s.As(t, ann), "/api/subscription/promotions/?platform=web"); strings.Contains(got, "share") || strings.Contains(got, "tiers") {
		t.Errorf("tells whom it is for: %s", got)
	}
	s.Clock.Advance(day)
	want(ann, "web", "important for_free tomorrow all for_both")
	s.Clock.Advance(day) // and now Bob's subscription is over
	want(bob, "web", "important for_free tomorrow all for_both")
}

// TestAShareOfPeopleIsAlwaysTheSame: about as many as it says, nobody is lost when it grows, and who is in one promotion
// says nothing about another.
func TestAShareOfPeopleIsAlwaysTheSame(t *testing.T) {
	s := run(t)
	part := s.AsPart(t, "admin")
	put := func(key string, share int) {
		t.Helper()
		if a := part.Call("PUT", admin+"promotions/"+uuid.NewSHA1(staff, []byte(key)).String(), promo.with(fields{"key": key, "share": share})); a.Status > 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	put("one", 30)
	put("other", 30)
	const people = 500
	see := func() (one, other, both int, is [people]bool) {
		for i := range people {
			got := promotionKeys(t, s.As(t, uuid.NewSHA1(staff, binary.BigEndian.AppendUint32(nil, uint32(i)))), "")
			inOne, inOther := strings.Contains(got, "one"), strings.Contains(got, "other")
			is[i] = inOne
			one, other, both = one+btoi(inOne), other+btoi(inOther), both+btoi(inOne && inOther)
		}
		return one, other, both, is
	}
	about := func(what string, n int, share float64) {
		t.Helper()
		if off := math.Abs(float64(n) - people*share); off > 4*math.Sqrt(people*share*(1-share)) {
			t.Errorf("%s: %d of %d people", what, n, people)
		}
	}
	one, other, both, before := see()
	about("one", one, .3)
	about("other", other, .3)
	about("both", both, .09)
	put("one", 60)
	grown, same, _, after := see()
	about("grown", grown, .6)
	if same != other {
		t.Errorf("of the other there were %d, and are %d", other, same)
	}
	for i := range before {
		if before[i] && !after[i] {
			t.Fatalf("person %d is not in it any more", i)
		}
	}
}

func btoi(is bool) int {
	if is {
		return 1
	}
	return 0
}
