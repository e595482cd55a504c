package gateway

import (
	"encoding/json"
	"fmt"
	"reflect"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/httpx"
)

// ownPart describes what the gateway answers itself.
func ownPart() (part, error) {
	registry := httpx.Schemas()
	content := func(mime string, of reflect.Type, name string) map[string]any {
		return map[string]any{mime: map[string]any{"schema": registry.Schema(of, true, name)}}
	}
	refused := func(description string) map[string]any {
		return map[string]any{"description": description, "content": content("application/problem+json", reflect.TypeFor[apperr.Problem](), "Problem")}
	}
	wrongZone := refused("X-Timezone is no time zone")
	health := content("application/json", reflect.TypeFor[Overview](), "Overview")
	tags := []string{"about"}
	paths := map[string]any{
		"/api/static_data/": map[string]any{"get": map[string]any{
			"operationId": "get-static-data", "summary": "All lookup tables in one answer", "tags": []string{"lookups"},
			"security": []map[string][]string{{"token": {}}},
			"parameters": []map[string]any{{
				"name": "If-None-Match", "in": "header", "schema": map[string]string{"type": "string"},
				"description": "The ETag that you have: 304 when it is still the one",
			}},
			"responses": map[string]any{
				"200": map[string]any{
					"description": "OK", "content": content("application/json", reflect.TypeFor[StaticData](), "StaticData"),
					"headers": map[string]any{"ETag": map[string]any{"schema": map[string]string{"type": "string"}}},
				},
				"304": map[string]any{"description": "Not modified"},
				"401": refused("Unauthorized"), "422": wrongZone, "503": refused("Service unavailable"),
			},
		}},
		"/api/sync/":   map[string]any{"get": syncOperation(refused)},
		"/api/events/": map[string]any{"get": eventsOperation(registry.Schema(reflect.TypeFor[LiveUpdate](), true, "LiveUpdate"), refused)},
		"/api/health/": map[string]any{"get": map[string]any{
			"operationId": "get-health", "summary": "How the whole is, and each part of it", "tags": tags,
			"responses": map[string]any{
				"200": map[string]any{"description": "It serves, perhaps with something missing", "content": health},
				"422": wrongZone, "503": map[string]any{"description": "It cannot serve", "content": health},
			},
		}},
		"/api/openapi.json": map[string]any{"get": map[string]any{
			"operationId": "get-openapi", "summary": "This document", "tags": tags,
			"responses": map[string]any{"422": wrongZone, "200": map[string]any{
				"description": "OK", "content": map[string]any{"application/json": map[string]any{"schema": map[string]string{"type": "object"}}},
			}},
		}},
		"/api/docs/": map[string]any{"get": map[string]any{
			"operationId": "get-docs", "summary": "This document as a page", "tags": tags,
			"responses": map[string]any{"422": wrongZone, "200": map[string]any{
				"description": "OK", "content": map[string]any{"text/html": map[string]any{"schema": map[string]string{"type": "string"}}},
			}},
		}},
	}
	var p part
	raw, err := json.Marshal(map[string]any{"paths": paths, "components": map[string]any{"schemas": registry.Map()}})
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return part{}, fmt.Errorf("own API document: %w", err)
	}
	return p, nil
}

// syncOperation describes GET /api/sync/. What its rows look like is said where their own operations are.
func syncOperation(refused func(string) map[string]any) map[string]any {
	row := func(like string) map[string]any {
		return map[string]any{"type": "object", "description": "As " + like, "additionalProperties": true}
	}
	list := func(of map[string]any) map[string]any { return map[string]any{"type": "array", "items": of} }
	id := map[string]any{"type": "string", "format": "uuid"}
	removed := map[string]any{"residence_ids": list(id)}
	all := map[string]any{
		"next_cursor": map[string]any{"type": "string", "description": "For the next request; keep it with what you have"},
		"has_more":    map[string]any{"type": "boolean", "description": "Ask again at once"},
	}
	for _, part := range syncParts() {
		for _, kind := range part.rows {
			all[kind.name] = list(row(kind.like))
		}
		for _, name := range part.removed {
			removed[name] = list(id)
		}
	}
	removed["members"] = list(map[string]any{"type": "object", "properties": map[string]any{"residence_id": id, "user_id": id}})
	all["removed"] = map[string]any{"type": "object", "properties": removed}
	return map[string]any{
		"operationId": "get-sync", "summary": "What changed for you since the cursor", "tags": []string{"sync"},
		"description": "Without a cursor it is everything that you see. Apply `removed` first, then the rows, by their ids: a row may come " +
			"twice, and may name one that comes on a later page. Of a residence in `residence_ids` drop all that it held.",
		"security": []map[string][]string{{"token": {}}},
		"parameters": []map[string]any{{
			"name": "cursor", "in": "query", "description": "`next_cursor` of the answer before",
			"schema": map[string]any{"type": "string", "maxLength": maxSyncCursor},
		}, {
			"name": "limit", "in": "query", "description": "How many rows of each kind at most",
			"schema": map[string]any{"type": "integer", "minimum": 1, "maximum": syncMaxLimit, "default": syncLimit},
		}},
		"responses": map[string]any{
			"200": map[string]any{"description": "OK", "content": map[string]any{"application/json": map[string]any{
				"schema": map[string]any{"type": "object", "properties": all},
			}}},
			"401": refused("Unauthorized"), "410": refused("The cursor is too old: drop what you have and start again without one"),
			"422": refused("The cursor or the limit is not valid"), "503": refused("Service unavailable"),
		},
	}
}
