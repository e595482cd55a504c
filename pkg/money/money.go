// Package money is an amount of some currency: whole hundredths inside, a decimal string outside. The currency is the
// residence's and travels beside the amount, never inside it.
package money

import (
	"database/sql/driver"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Amount is in hundredths of the currency's unit: 1250 is "12.50".
type Amount int64

var form, totalForm = regexp.MustCompile(pattern), regexp.MustCompile(totalPattern)

// Up to ten digits before the point: larger costs are typing errors, and sums of millions of them still fit.
const (
	pattern      = `^\d{1,10}(\.\d{1,2})?$`
	totalPattern = `^\d{1,16}(\.\d{1,2})?$`
)

// Parse reads "12", "12.5" or "12.50".
func Parse(s string) (Amount, error) { return parse(form, s) }

func parse(form *regexp.Regexp, s string) (Amount, error) {
	if !form.MatchString(s) {
		return 0, fmt.Errorf("%q is not an amount such as 12.50 (no sign, at most two decimals)", s)
	}
	whole, cents, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("amount %q: %w", s, err)
	}
	return Amount(n), nil
}

// String is the decimal with two places.
func (a Amount) String() string {
	sign := ""
	if a < 0 {
		sign, a = "-", -a
	}
	return fmt.Sprintf("%s%d.%02d", sign, a/100, a%100)
}

// MarshalText is the decimal string.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads a decimal string.
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// Value hands the database whole hundredths (bigint).
func (a Amount) Value() (driver.Value, error) { return int64(a), nil }

// Schema is a string with the pattern of an amount in the API documents.
func (Amount) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: pattern, Description: "Decimal amount in the residence's currency", Examples: []any{"129.90"}}
}

// Total is a sum of amounts: it can have more digits than any one of them.
type Total int64

// String is the decimal with two places.
func (t Total) String() string { return Amount(t).String() }

// MarshalText is the decimal string.
func (t Total) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a decimal string.
func (t *Total) UnmarshalText(text []byte) error {
	parsed, err := parse(totalForm, string(text))
	if err != nil {
		return err
	}
	*t = Total(parsed)
	return nil
}

// Schema is a string with the pattern of a total in the API documents.
func (Total) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: totalPattern, Description: "Sum of decimal amounts", Examples: []any{"1290.00"}}
}
