package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// misfit is a member that the schema allows and its type does not: 3.0 for a whole number, a day in the year 1500. huma
// keeps only an error's text, so that the text carries the location as well.
type misfit struct{ location, message string }

const misfitMark = "\x00"

func (m misfit) Error() string { return m.location + misfitMark + m.message }

// asMisfit reads a misfit from its text.
func asMisfit(text string) (misfit, bool) {
	location, message, found := strings.Cut(text, misfitMark)
	return misfit{location, message}, found
}

// unmarshal is json.Unmarshal, and finds the member that does not fit. A body is read twice, as it comes to be checked and
// then into the operation's type; of a member that is there twice the type may keep what was not checked.
func unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil {
		if _, toBeChecked := v.(*any); toBeChecked {
			return nil
		}
		if at, found := repeatedMember(json.NewDecoder(bytes.NewReader(data)), "body"); found {
			return misfit{at, "is there twice"}
		}
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		if _, fault := errors.AsType[*json.UnmarshalTypeError](err); fault {
			return misfit{"body", plain(err)}
		}
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		alone, _ := json.Marshal(map[string]json.RawMessage{name: members[name]}) // it was JSON just now
		if err := json.Unmarshal(alone, reflect.New(reflect.TypeOf(v).Elem()).Interface()); err != nil {
			return misfit{"body." + name, plain(err)}
		}
	}
	return err
}

// repeatedMember is the location of the first member, of the value that d reads next, whose name came before in the same
// object. The value is known to be JSON.
func repeatedMember(d *json.Decoder, at string) (string, bool) {
	switch token, _ := d.Token(); token {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			token, _ := d.Token()
			name, _ := token.(string)
			member := at + "." + name
			if seen[name] {
				return member, true
			}
			seen[name] = true
			if inside, found := repeatedMember(d, member); found {
				return inside, true
			}
		}
		_, _ = d.Token()
	case json.Delim('['):
		for i := 0; d.More(); i++ {
			if inside, found := repeatedMember(d, at+"["+strconv.Itoa(i)+"]"); found {
				return inside, true
			}
		}
		_, _ = d.Token()
	}
	return "", false
}

// plain is the error without the words of Go.
func plain(err error) string {
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return "does not fit the type of this field"
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
