package gateway

import "hearth.internal/pkg/events"

// eventsOperation describes GET /api/events/, the data of whose events are of the schema update.
func eventsOperation(update any, refused func(string) map[string]any) map[string]any {
	header := map[string]any{"type": "string", "description": "The id of the last event that you have heard"}
	return map[string]any{
		"operationId": "get-events", "summary": "What changes, as it happens (Server-Sent Events)", "tags": []string{"sync"},
		"description": "A stream that says that something changed, not what it is now: ask for it, or for `/api/sync/`. It begins with `ready`, " +
			"and with `reset` when what was missed is not known any more: sync after either. Come again with the id that you heard last whenever " +
			"it ends, also after a 503. An event may come twice, and with an older version than you have.",
		"security": []map[string][]string{{"token": {}}},
		"parameters": []map[string]any{
			{"name": "Last-Event-ID", "in": "header", "schema": header},
			{"name": "last_event_id", "in": "query", "schema": header, "description": "The same, for clients that cannot set the header"},
		},
		"responses": map[string]any{
			"200": map[string]any{
				"description": "The stream. The data of each event is a `LiveUpdate` on one line; `ready` and `reset` have no more than their type.",
				"content": map[string]any{"text/event-stream": map[string]any{
					"schema":         map[string]any{"type": "string"},
					"x-event-types":  append([]string{"ready", "reset"}, events.LiveTypes()...),
					"x-event-schema": update,
				}},
			},
			"401": refused("Unauthorized"), "422": refused("X-Timezone is no time zone"), "503": refused("Service unavailable: come again"),
		},
	}
}
