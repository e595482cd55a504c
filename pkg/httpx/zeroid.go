package httpx

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hearth.internal/pkg/apperr"
	"hearth.internal/pkg/telemetry"
)

// refuseZeroID refuses a query that filters by the zero UUID: an operation would take it for a filter that was left out,
// and answer everything.
func refuseZeroID(ctx huma.Context, next func(huma.Context)) {
	for _, p := range ctx.Operation().Parameters {
		if p.In != "query" || p.Schema == nil || p.Schema.Format != "uuid" {
			continue
		}
		if sent := ctx.Query(p.Name); sent != "" {
			if id, err := uuid.Parse(sent); err == nil && id == uuid.Nil {
				refuse(ctx, apperr.InvalidField("query."+p.Name, "must not be the zero UUID"))
				return
			}
		}
	}
	next(ctx)
}

// refuse answers with the error's problem document before the operation is reached.
func refuse(ctx huma.Context, e *apperr.Error) {
	p := refusal{e}.humaError(telemetry.RequestID(ctx.Context()))
	ctx.SetStatus(p.GetStatus())
	ctx.SetHeader("Content-Type", problemType)
	body, _ := p.MarshalJSON() // a problem without extra members always marshals
	_, _ = ctx.BodyWriter().Write(body)
}
