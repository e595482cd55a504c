package report

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
)

// locale writes days, numbers and money. The reports' words are English; the digits, their grouping and the currency's sign
// are those of the person's locale. golang.org/x/text knows no patterns of dates and no place of the sign: these are here.
type locale struct {
	printer    *message.Printer
	monthFirst bool // March 10, 2026
	sign       string
	before     bool // the sign comes before the digits
	apart      bool // with a space between them
	decimals   int
}

const noBreak = "\u00a0"

// signFirst are the languages that write the sign before the digits; those in signApart leave a space.
var (
	signFirst = []string{"en", "ja", "zh", "ko", "nl", "tr", "th", "hi", "ms", "fil", "id", "de-AT", "de-CH", "de-LI", "it-CH", "pt-BR", "es-MX", "es-US", "es-AR", "es-CO", "es-CL"}
	signApart = []string{"nl", "de-AT", "de-CH", "de-LI", "it-CH", "pt-BR", "es-AR", "es-CO"}
)

// newLocale takes English for what it does not know, and a currency's code for its sign.
func newLocale(tag, code string) locale {
	parsed, err := language.Parse(tag)
	if err != nil {
		parsed = language.English
	}
	base, _ := parsed.Base()
	region, _ := parsed.Region()
	is := func(names []string) bool {
		return slices.Contains(names, base.String()) || slices.Contains(names, base.String()+"-"+region.String())
	}
	l := locale{printer: message.NewPrinter(parsed), monthFirst: base.String() == "en" && region.String() == "US" && strings.ContainsAny(tag, "-_"),
		sign: code, before: is(signFirst), apart: is(signApart), decimals: 2}
	if unit, err := currency.ParseISO(code); err == nil {
		l.sign = strings.ReplaceAll(l.printer.Sprint(currency.Symbol(unit)), "￥", "¥")
		l.decimals, _ = currency.Standard.Rounding(unit)
	}
	// Letters never touch digits.
	l.apart = l.apart || !l.before || strings.ToUpper(l.sign) != strings.ToLower(l.sign) && !strings.ContainsAny(l.sign, "$¥£€")
	return l
}

// money is the amount with its sign. A currency without decimals shows them where an amount has some all the same.
func (l locale) money(a money.Amount) string {
	decimals := l.decimals
	if a%100 != 0 {
		decimals = max(decimals, 2)
	}
	return l.signed(a, decimals)
}

// whole is the amount without decimals, for scales.
func (l locale) whole(a money.Amount) string { return l.signed(a, 0) }

func (l locale) signed(a money.Amount, decimals int) string {
	minus := ""
	if a < 0 {
		minus, a = "−", -a
	}
	digits := l.printer.Sprint(number.Decimal(float64(a)/100, number.Scale(decimals)))
	space := ""
	if l.apart {
		space = noBreak
	}
	if l.before {
		return minus + l.sign + space + digits
	}
	return minus + digits + space + l.sign
}

func (l locale) number(n int) string { return l.printer.Sprint(number.Decimal(n)) }

// percent is part of whole, rounded.
func (l locale) percent(part, whole money.Amount) string {
	if whole == 0 {
		return ""
	}
	return l.printer.Sprint(number.Percent(float64(part)/float64(whole), number.MaxFractionDigits(0)))
}

// day is unambiguous everywhere: the month is a word.
func (l locale) day(d day.Day) string {
	if d.IsZero() {
		return ""
	}
	year, month, dom := d.Date()
	name := month.String()[:3]
	if l.monthFirst {
		return name + noBreak + strconv.Itoa(dom) + "," + noBreak + strconv.Itoa(year)
	}
	return strconv.Itoa(dom) + noBreak + name + noBreak + strconv.Itoa(year)
}

// period is both days and what is between.
func (l locale) period(from, to day.Day) string { return l.day(from) + " – " + l.day(to) }

// counted is a number with its noun.
func (l locale) counted(n int, one, many string) string {
	if n == 1 {
		return l.number(n) + " " + one
	}
	return l.number(n) + " " + many
}
