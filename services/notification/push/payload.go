package push

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"sort"
	"strconv"
	"time"

	"google.golang.org/api/fcm/v1"
)

const (
	maxPayload  = 4096                // bytes, at Apple and at Google
	maxCollapse = 64                  // bytes, at Apple
	maxLife     = 28 * 24 * time.Hour // of a message at Google
	channel     = "tasks"             // of Android, made by the app
)

// aps is what iOS itself reads of a payload.
type aps struct {
	Alert             alert  `json:"alert"`
	Badge             int    `json:"badge"`
	Sound             string `json:"sound,omitempty"`
	ThreadID          string `json:"thread-id,omitempty"`
	Category          string `json:"category,omitempty"`
	InterruptionLevel string `json:"interruption-level"`
	MutableContent    int    `json:"mutable-content"` // 0: the app is not woken to change it
}

type alert struct {
	Title string `json:"title,omitempty"`
	Body  string `json:"body,omitempty"`
}

// applePayload is a message as APNs takes it, with the body shortened where it does not fit.
func applePayload(m Message) ([]byte, error) {
	return json.Marshal(appleFields(shortened(m, func(m Message) any { return appleFields(m) })))
}

func appleFields(m Message) map[string]any {
	out := make(map[string]any, len(m.Data)+1)
	for name, value := range m.Data {
		out[name] = value
	}
	a := aps{
		Alert: alert{m.Title, m.Body}, Badge: max(m.Badge, 0), Sound: "default",
		ThreadID: m.Thread, Category: m.Category, InterruptionLevel: "active",
	}
	if m.Quiet {
		a.Sound = ""
	}
	out["aps"] = a
	return out
}

// googleMessage is a message as FCM takes it, likewise.
func googleMessage(m Message, now time.Time) *fcm.Message {
	fitting := shortened(m, func(m Message) any {
		out := googleFields(m, now)
		out.Token = "" // it does not count
		return out
	})
	return googleFields(fitting, now)
}

func googleFields(m Message, now time.Time) *fcm.Message {
	data := maps.Clone(m.Data)
	if data == nil {
		data = map[string]string{}
	}
	// What iOS tells an app of itself, an app on Android finds here.
	for name, value := range map[string]string{"collapse": collapse(m), "thread": m.Thread, "category": m.Category, "badge": strconv.Itoa(max(m.Badge, 0))} {
		if value != "" {
			data[name] = value
		}
	}
	android := &fcm.AndroidConfig{
		CollapseKey: collapse(m), Priority: "HIGH",
		Notification: &fcm.AndroidNotification{ChannelId: channel, Tag: collapse(m), ClickAction: m.Category, NotificationCount: int64(max(m.Badge, 0))},
	}
	if m.Quiet {
		android.Priority = "NORMAL"
	}
	if !m.Expires.IsZero() {
		life := min(max(m.Expires.Sub(now), 0), maxLife)
		android.Ttl = strconv.FormatInt(int64(life/time.Second), 10) + "s"
	}
	return &fcm.Message{Token: m.Token, Notification: &fcm.Notification{Title: m.Title, Body: m.Body}, Data: data, Android: android}
}

// collapse is the name under which one message takes another's place. One that APNs would not take becomes a digest of
// itself: the same names still meet.
func collapse(m Message) string {
	if len(m.Collapse) <= maxCollapse && printable(m.Collapse) {
		return m.Collapse
	}
	sum := sha256.Sum256([]byte(m.Collapse))
	return hex.EncodeToString(sum[:])
}

// shortened cuts the body, and where that is not enough the title, at a rune, until what is sent of the message fits. What
// does not fit even so, the provider refuses.
func shortened(m Message, sent func(Message) any) Message {
	fits := func() bool {
		text, err := json.Marshal(sent(m))
		return err != nil || len(text) <= maxPayload
	}
	for _, text := range []*string{&m.Body, &m.Title} {
		if fits() {
			break
		}
		whole := *text
		var starts []int
		for i := range whole {
			starts = append(starts, i)
		}
		n := sort.Search(len(starts), func(i int) bool {
			*text = whole[:starts[i]] + "…"
			return !fits()
		})
		if *text = ""; n > 0 {
			*text = whole[:starts[n-1]] + "…"
		}
	}
	return m
}
