package notification

import (
	"github.com/google/uuid"

	"hearth.internal/pkg/seal"
)

// UnsubscribeURL is the address in a mail of the kind, for tests.
func UnsubscribeURL(key seal.PrivateKey, user uuid.UUID, kind string) string {
	s := &Service{unsubscribeKey: unsubscribeKey(key)}
	return s.unsubscribeURL(user, kind)
}
