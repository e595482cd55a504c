package language

import (
	"math"
	"slices"
	"strings"

	"golang.org/x/text/currency"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

const noBreak = "\u00a0"

// Where English, German and Spanish write the sign of a currency before the digits, and where with a space between them
// (CLDR; golang.org/x/text knows the signs but not their place).
var (
	signFirst = []string{"en", "de-AT", "de-CH", "de-LI", "es-MX", "es-US", "es-AR", "es-CO", "es-CL", "es-PE"}
	signApart = []string{"de-AT", "de-CH", "de-LI", "es-AR", "es-CO"}
)

// The currencies whose minor unit is not the hundredth, as the shops count them (docs.stripe.com/currencies). Stripe counts
// ISK and UGX in hundredths, which are always 00.
var (
	withoutMinor = []string{"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
	thousandths  = []string{"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
	alwaysWhole  = []string{"ISK", "UGX"}
)

// Money writes an amount, in the minor units of a currency (ISO 4217), as one reads it in that language and region. Of a
// currency that is not known it writes the code.
func (s Speaker) Money(amount int64, code string) string {
	code = strings.ToUpper(code)
	minor, decimals := 2, 2
	switch {
	case slices.Contains(withoutMinor, code):
		minor, decimals = 0, 0
	case slices.Contains(thousandths, code):
		minor, decimals = 3, 3
	case slices.Contains(alwaysWhole, code):
		decimals = 0
	}
	printer := message.NewPrinter(s.Tag)
	sign := code
	if unit, err := currency.ParseISO(code); err == nil {
		sign = printer.Sprint(currency.Symbol(unit))
	}
	minus, value := "", float64(amount)/math.Pow10(minor)
	if amount < 0 {
		minus, value = "−", -value
	}
	digits := printer.Sprint(number.Decimal(value, number.Scale(decimals)))
	is := func(names []string) bool {
		base, _ := s.Tag.Base()
		region, _ := s.Tag.Region()
		return slices.Contains(names, base.String()) || slices.Contains(names, base.String()+"-"+region.String())
	}
	if !is(signFirst) {
		return minus + digits + noBreak + sign
	}
	letters := strings.ToUpper(sign) != strings.ToLower(sign) && !strings.ContainsAny(sign, "$¥£€") // these never touch digits
	if is(signApart) || letters {
		return minus + sign + noBreak + digits
	}
	return minus + sign + digits
}
