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
				"401": refused("Unauthorized"), "503": refused("Service unavailable"),
			},
		}},
		"/api/health/": map[string]any{"get": map[string]any{
			"operationId": "get-health", "summary": "How the whole is, and each part of it", "tags": tags,
			"responses": map[string]any{
				"200": map[string]any{"description": "It serves, perhaps with something missing", "content": health},
				"503": map[string]any{"description": "It cannot serve", "content": health},
			},
		}},
		"/api/openapi.json": map[string]any{"get": map[string]any{
			"operationId": "get-openapi", "summary": "This document", "tags": tags,
			"responses": map[string]any{"200": map[string]any{
				"description": "OK", "content": map[string]any{"application/json": map[string]any{"schema": map[string]string{"type": "object"}}},
			}},
		}},
		"/api/docs/": map[string]any{"get": map[string]any{
			"operationId": "get-docs", "summary": "This document as a page", "tags": tags,
			"responses": map[string]any{"200": map[string]any{
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
