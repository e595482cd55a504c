package plans_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/plans"
)

func TestTheConfigurationDecides(t *testing.T) {
	for text, tier := range map[string]string{"off": plans.Pro, "free": plans.Free} {
		var l plans.Limitations
		if err := l.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		plan, err := plans.Configured(l).Of(t.Context(), uuid.New())
		if err != nil || plan.Tier != tier || (plan.Tasks == nil) != (tier == plans.Pro) {
			t.Errorf("%s: %+v, %v", text, plan, err)
		}
	}
	plan, err := plans.Configured("").Of(t.Context(), uuid.New())
	if err != nil || plan.Properties != nil || plan.Tasks != nil || plan.Contractors != nil || plan.Documents != nil {
		t.Errorf("not configured: %+v, %v", plan, err)
	}
	if err := new(plans.Limitations).UnmarshalText([]byte("on")); err == nil {
		t.Error("read on")
	}
}

func TestAPlanThatIsNotKnownIsNoPlan(t *testing.T) {
	broken := errors.New("broken")
	d := plans.New(func(context.Context, uuid.UUID) (plans.Plan, error) { return plans.Plan{}, broken })
	if _, err := d.Of(t.Context(), uuid.New()); !errors.Is(err, broken) {
		t.Errorf("answered %v", err)
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
