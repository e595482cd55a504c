package internalapi

import (
	"context"
	"encoding/json"
	"net/http"
)

// Health is how a service and its stores are. A service without its cache, its queue or its storage of files still serves:
// it is degraded.
type Health struct {
	Status   string `json:"status" enum:"ok,degraded,down"`
	Database string `json:"database" enum:"ok,down"`
	Cache    string `json:"cache" enum:"ok,down"`
	Queue    string `json:"queue" enum:"ok,down"`
	Storage  string `json:"storage,omitempty" enum:"ok,down" doc:"Of files, where the service keeps any"`
}

// Part is any of the services, asked what every one of them can tell.
type Part struct{ remote }

// Part answers a client of the named service for what all of them answer.
func (c *Caller) Part(name, base string) Part { return Part{c.to(name, base)} }

// Health asks how the service is: GET /internal/health.
func (p Part) Health(ctx context.Context) (Health, error) {
	return call[Health](ctx, p.remote, http.MethodGet, "/internal/health", nil)
}

// Document is the service's part of the API document (OpenAPI 3.1): GET /internal/openapi.json.
func (p Part) Document(ctx context.Context) (json.RawMessage, error) {
	return call[json.RawMessage](ctx, p.remote, http.MethodGet, "/internal/openapi.json", nil)
}
