package day

import "time"

const longestZone = 64

// IsZone reports whether it is the name of a time zone in the IANA database. Those begin with a capital letter; what a
// system keeps beside them, such as localtime and right/UTC, differs from machine to machine, as does Go's "Local".
func IsZone(name string) bool {
	if name == "" || name[0] < 'A' || name[0] > 'Z' || name == "Local" || len(name) > longestZone {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}
