package stores

import "testing"

func TestComplaintIsTheReason(t *testing.T) {
	for out, want := range map[string]string{
		"Reading package lists...\nE: Unable to locate package postgresql\n": "Reading package lists...; E: Unable to locate package postgresql",
		"npm warn old\nnpm error code ECONNREFUSED\nnpm error errno ECONNREFUSED\nnpm error network refused\nnpm error\n" +
			"npm error A complete log of this run can be found in: /x": "code ECONNREFUSED; errno ECONNREFUSED; network refused",
		"npm ERR! code E404\n": "code E404",
		"":                     "",
	} {
		if got := complaint(out); got != want {
			t.Errorf("%q is told as %q, want %q", out, got, want)
		}
	}
}
