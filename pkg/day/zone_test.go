package day_test

import (
	"strings"
	"testing"

	"hearth.internal/pkg/day"
)

func TestZonesAreThoseOfTheDatabase(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12", "EST"} {
		if !day.IsZone(name) {
			t.Errorf("%s is refused", name)
		}
	}
	for _, name := range []string{
		"", "Local", "localtime", "posixrules", "right/UTC", "posix/UTC", "Mars/Olympus", "Europe", "europe/berlin", "Europe/../UTC",
		"/etc/localtime", "zone.tab", "UTC ", "Z" + strings.Repeat("a", 64),
	} {
		if day.IsZone(name) {
			t.Errorf("%s is taken for a zone", name)
		}
	}
}
