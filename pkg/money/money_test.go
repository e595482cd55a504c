package money_test

import (
	"testing"

	"hearth.internal/pkg/money"
)

func TestAmounts(t *testing.T) {
	for in, want := range map[string]string{"0": "0.00", "12": "12.00", "12.5": "12.50", "12.05": "12.05", "9999999999.99": "9999999999.99"} {
		a, err := money.Parse(in)
		if err != nil || a.String() != want {
			t.Errorf("%s became %s, %v; wanted %s", in, a, err, want)
		}
	}
	for _, bad := range []string{"", "-1", "+1", "1.234", "1,5", ".5", "1.", "1e3", "10000000000", " 1", "٣"} {
		if a, err := money.Parse(bad); err == nil {
			t.Errorf("%q was read as %s", bad, a)
		}
	}
	if got := money.Amount(-1205).String(); got != "-12.05" {
		t.Errorf("a difference is written %s", got)
	}
}

func TestATotalHasMoreDigitsThanAnAmount(t *testing.T) {
	const most = "9999999999999999.99"
	var sum money.Total
	if err := sum.UnmarshalText([]byte(most)); err != nil || sum.String() != most {
		t.Errorf("%s became %s, %v", most, sum, err)
	}
	if err := sum.UnmarshalText([]byte("-1")); err == nil {
		t.Errorf("a negative one was read as %s", sum)
	}
}
