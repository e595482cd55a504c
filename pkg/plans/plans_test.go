package plans_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/cache"
	"hearth.internal/pkg/clock"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/plans"
	"hearth.internal/pkg/redisx"
	"hearth.internal/pkg/telemetry"
	"hearth.internal/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// billing stands in for the billing service.
type billing struct {
	*plans.Directory
	cache *cache.Cache
	clock *clock.Manual
	now   internalapi.Plan // what everybody has
	err   error
	asked int
}

func open(t *testing.T) *billing {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Service: "test", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	rdb, err := redisx.Open(testkit.Redis(t), 4, tel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	b := &billing{cache: cache.New(rdb, 5*time.Second, tel), clock: clock.At(testkit.Start)}
	b.Directory = plans.New(b.cache, b.clock, func(context.Context, uuid.UUID) (internalapi.Plan, error) {
		b.asked++
		return b.now, b.err
	})
	return b
}

// want asserts how many tasks somebody's plan has room for, and how often billing was asked by then.
func (b *billing) want(t *testing.T, owner uuid.UUID, tasks, asked int) {
	t.Helper()
	plan, err := b.Of(t.Context(), owner)
	if err != nil || *plan.Most(plans.AddTask) != tasks || b.asked != asked {
		t.Errorf("%+v (%v), asked %d times; wanted %d tasks, asked %d times", plan, err, b.asked, tasks, asked)
	}
}

func TestAPlanIsAskedForOnceUntilItIsDropped(t *testing.T) {
	b, ada, bob := open(t), uuid.New(), uuid.New()
	b.now.Tasks = new(10)
	b.want(t, ada, 10, 1)
	b.want(t, ada, 10, 1)
	b.want(t, bob, 10, 2)
	b.now.Tasks = new(3)
	b.want(t, ada, 10, 2)
	b.cache.Drop(t.Context(), cache.PlanKey(ada))
	b.want(t, ada, 3, 3)
	b.want(t, bob, 10, 3)
	b.cache.Drop(t.Context(), cache.EveryPlan)
	b.want(t, bob, 3, 4)
}

func TestAPlanIsNotKeptLongerThanItIsGood(t *testing.T) {
	b, ada := open(t), uuid.New()
	b.now.Tasks, b.now.Until = new(100), new(b.clock.Now().Add(time.Minute))
	b.want(t, ada, 100, 1)
	b.clock.Advance(59 * time.Second)
	b.want(t, ada, 100, 1)
	b.now = internalapi.Plan{Tasks: new(10)}
	b.clock.Advance(time.Second)
	b.want(t, ada, 10, 2)
	b.want(t, ada, 10, 2)
}

func TestAPlanThatIsNotKnownIsNoPlan(t *testing.T) {
	b := open(t)
	b.err = errors.New("broken")
	if _, err := b.Of(t.Context(), uuid.New()); !errors.Is(err, b.err) {
		t.Errorf("answered %v", err)
	}
}

func TestLimitsBindNobodyWhereThereAreNone(t *testing.T) {
	plan, err := plans.Fixed(plans.Plan{Unlimited: true, Tasks: new(1)}).Of(t.Context(), uuid.New())
	if err != nil || plan.Most(plans.AddTask) != nil {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestTheRefusalSaysWhatToOffer(t *testing.T) {
	e := apperr.Of(plans.Reached(plans.AddTask, 10, 12))
	if e.Code.Kind.Status() != 403 || e.Extra["trigger_key"] != plans.AddTask || e.Extra["limit"] != 10 || e.Extra["used"] != 12 {
		t.Errorf("refused with %+v", e)
	}
	if e := apperr.Of(plans.Reached(plans.AddProperty, 1, 1)); e.Detail != "That is more than the owner's plan has room for (properties: 1 of 1 used)." {
		t.Errorf("it says %q", e.Detail)
	}
}

// TestWhileBillingIsAwayWhatItSaidLastCounts: and who it has said nothing of cannot be told about.
func TestWhileBillingIsAwayWhatItSaidLastCounts(t *testing.T) {
	b, ada, bob := open(t), uuid.New(), uuid.New()
	b.now.Tasks, b.now.Until = new(100), new(b.clock.Now().Add(time.Hour))
	b.want(t, ada, 100, 1)
	b.err = apperr.ServiceUnavailable.New("away")
	b.cache.Drop(t.Context(), cache.PlanKey(ada))
	b.want(t, ada, 100, 2)
	if _, err := b.Of(t.Context(), bob); !apperr.ServiceUnavailable.Has(err) {
		t.Errorf("somebody not known: %v", err)
	}
	b.clock.Advance(time.Hour)
	if _, err := b.Of(t.Context(), ada); !apperr.ServiceUnavailable.Has(err) {
		t.Errorf("a plan that is over: %v", err)
	}
}
