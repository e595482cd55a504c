// Package push hands messages to the devices' providers: Apple's APNs and Google's FCM.
package push

import (
	"context"
	"time"

	"github.com/google/uuid"

	"hearth.internal/notification/delivery"
)

// Message is one push to one device.
type Message struct {
	ID       uuid.UUID // the same at every try: APNs knows it as apns-id
	Token    string
	Sandbox  bool // of APNs
	Title    string
	Body     string
	Badge    int       // unread notifications, of the person
	Collapse string    // at most 64 bytes: one takes the place of what came before under the same name; empty: none
	Thread   string    // notifications of one residence stand together
	Category string    // TASK: the app shows the actions complete and snooze; empty: none
	Expires  time.Time // then the provider need not try any more
	Quiet    bool      // it may wait for a good moment of the device (APNs priority 5, FCM NORMAL)
	// Data goes to the app beside what is shown: notification_id, kind, residence_id, subject_id.
	Data map[string]string
}

// Pusher is a provider.
type Pusher interface {
	// Push hands the message over, and answers what the provider said. It takes no longer than ctx allows; whatever goes
	// wrong is in the result.
	Push(ctx context.Context, m Message) delivery.Result
}
