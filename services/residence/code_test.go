package residence

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestCodesUseTheWholeAlphabetAndNothingElse(t *testing.T) {
	seen := map[rune]int{}
	for range 2000 {
		code := newCode()
		if len(code) != codeLength || plainCode(code) != code {
			t.Fatalf("code %q", code)
		}
		for _, letter := range code {
			seen[letter]++
		}
	}
	for letter, n := range seen {
		// About 516 are expected of each; six standard deviations are 134.
		if !strings.ContainsRune(alphabet, letter) || n < 380 || n > 650 {
			t.Errorf("%c: %d times", letter, n)
		}
	}
	if len(seen) != len(alphabet) {
		t.Errorf("%d letters of %d", len(seen), len(alphabet))
	}
}

func TestSealedCodeOpensForItsResidenceAndKeyAlone(t *testing.T) {
	c, err := newCodes(bytes.Repeat([]byte("a"), minKey))
	if err != nil {
		t.Fatal(err)
	}
	other, err := newCodes(bytes.Repeat([]byte("b"), minKey))
	if err != nil {
		t.Fatal(err)
	}
	home, code := uuid.New(), newCode()
	sealed := c.seal(home, code)
	if got, err := c.open(home, sealed); err != nil || got != code {
		t.Errorf("opened %q, %v", got, err)
	}
	if _, err := c.open(uuid.New(), sealed); err == nil {
		t.Error("it opens for another residence")
	}
	if _, err := other.open(home, sealed); err == nil {
		t.Error("it opens with another key")
	}
	if bytes.Equal(c.lookup(code), other.lookup(code)) || bytes.Equal(sealed, c.seal(home, code)) {
		t.Error("a key or a nonce does not count")
	}
}
