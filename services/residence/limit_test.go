package residence_test

import (
	"fmt"
	"sync"
	"testing"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/testkit"
	"hearth.internal/residence"
)

// openFree is a house whose people are on the free plan: a residence each.
func openFree(t *testing.T, change ...func(*residence.Config)) house {
	t.Helper()
	return setUpWith(t, []func(*boot.Options){testkit.OnFreePlan}, change...)
}

func full(t *testing.T, a testkit.Answer) {
	t.Helper()
	got := testkit.JSON[struct {
		Trigger string `json:"trigger_key"`
		Limit   int
		Used    int
	}](t, a)
	if a.Status != 403 || a.Code() != "limit_reached" || got.Trigger != "add_property" || got.Limit != 1 || got.Used != 1 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func (h house) give(to *testkit.Client) testkit.Answer {
	return h.owner.Call("POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, to.Actor.UserID))
}

// together sends all the requests at once; only so many may succeed, each in one round trip.
func together(t *testing.T, succeed int, requests ...func() testkit.Answer) {
	t.Helper()
	var group sync.WaitGroup
	answers := make([]testkit.Answer, len(requests))
	for i, request := range requests {
		group.Go(func() { answers[i] = request() })
	}
	group.Wait()
	for _, a := range answers {
		if a.Status == 200 || a.Status == 201 {
			succeed--
		} else {
			full(t, a)
		}
		trips(t, 1, "one of many", a)
	}
	if succeed != 0 {
		t.Errorf("%d too few succeeded", succeed)
	}
}

func TestResidencesUpToTheLimitHoweverManyComeAtOnce(t *testing.T) {
	h := openFree(t)
	full(t, h.owner.Call("POST", base, `{"name":"Hut"}`))
	h.owner.Want(200, "POST", base, fmt.Sprintf(`{"id":%q,"name":"Lake house"}`, h.home.ID)) // what is there answers as ever
	member := h.join(t, "member")
	add(t, member, `{"name":"Mine"}`) // another one's residence is not theirs
	fresh := h.As(t, newID())
	creates := make([]func() testkit.Answer, 50)
	for i := range creates {
		creates[i] = func() testkit.Answer { return fresh.Call("POST", base, `{"name":"Hut"}`) }
	}
	together(t, 1, creates...)
}

func TestAResidenceIsGivenOnlyToWhoHasRoomForIt(t *testing.T) {
	for name, prepare := range map[string]bool{"prepared": true, "behind an old PgBouncer": false} {
		t.Run(name, func(t *testing.T) {
			h := openFree(t, func(cfg *residence.Config) { cfg.DatabasePrepare = prepare })
			heir, viewer := h.join(t, "member"), h.join(t, "viewer")
			theirs := add(t, heir, `{"name":"Mine"}`)
			a := h.give(heir)
			full(t, a)
			trips(t, 1, "a transfer that is refused", a)
			if got := h.read(t, h.owner); got.Role != "owner" || got.Version != 1 || len(h.Outbox(t, "residence.members_changed")) != 2 { // they joined
				t.Errorf("after the refusal %+v", got)
			}
			// What else is wrong is told first.
			h.owner.Refused(412, "version_conflict", "POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, heir.Actor.UserID), "If-Match", `"7"`)
			viewer.Refused(403, "not_permitted", "POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, heir.Actor.UserID))
			heir.Want(204, "DELETE", at(theirs, ""), nil)
			if a := h.give(heir); a.Status != 200 {
				t.Errorf("with room %d %s", a.Status, a.Body)
			}
			full(t, heir.Call("POST", base, `{"name":"Hut"}`))
			add(t, h.owner, `{"name":"Hut"}`) // they have given theirs away
		})
	}
}

func TestATransferRacesWithWhatTheNewOwnerAdds(t *testing.T) {
	first := openFree(t)
	for range 8 {
		one, other := house{Service: first.Service, owner: first.As(t, newID())}, house{Service: first.Service, owner: first.As(t, newID())}
		one.home, other.home = add(t, one.owner, `{"name":"One"}`), add(t, other.owner, `{"name":"Other"}`)
		heir := one.join(t, "member")
		code := testkit.JSON[residence.ShareCode](t, other.owner.Want(201, "POST", at(other.home, "generate-share-code/"), `{}`))
		heir.Want(200, "POST", base+"join-with-code/", `{"code":"`+code.Code+`"}`)
		create := func() testkit.Answer { return heir.Call("POST", base, `{"name":"Hut"}`) }
		give := func() testkit.Answer { return one.give(heir) }
		together(t, 1, create, give, create, func() testkit.Answer { return other.give(heir) }, create)
	}
}

func TestWhoseStatusAChangeOfAResidenceMakesStale(t *testing.T) {
	h := setUp(t)
	member, stranger := h.join(t, "member"), h.As(t, newID())
	keys := []string{cache.StatusKey(h.owner.Actor.UserID), cache.StatusKey(member.Actor.UserID), cache.StatusKey(stranger.Actor.UserID)}
	second := newID()
	for _, c := range []struct {
		name   string
		stale  []string
		change func(t *testing.T)
	}{
		{"one more", keys[:1], func(t *testing.T) {
			h.owner.For(t).Want(201, "POST", base, fmt.Sprintf(`{"id":%q,"name":"Hut"}`, second))
		}},
		{"a transfer", keys[:2], func(t *testing.T) {
			if a := h.give(member); a.Status != 200 {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		}},
		{"one less", keys[:1], func(t *testing.T) {
			h.owner.For(t).Want(204, "DELETE", base+second.String()+"/", nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Stale(t, h.Service, keys, c.stale, func() { c.change(t) })
		})
	}
}
