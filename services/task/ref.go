package task

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/internalapi"
	"hearth.internal/pkg/pg"
)

type refRow struct {
	Contractor bool
	internalapi.Ref
}

// Somebody else's personal contractor is not there.
const refsSQL = `
SELECT false AS contractor, t.id, t.residence_id FROM tasks t WHERE t.id = ANY(@tasks::uuid[])
UNION ALL
SELECT true, c.id, coalesce(c.residence_id, @nowhere::uuid) FROM contractors c
WHERE c.id = ANY(@contractors::uuid[]) AND (c.residence_id IS NOT NULL OR c.created_by_id = @user::uuid)`

// Refs answers where tasks and contractors are.
func (s *Service) Refs(ctx context.Context, q internalapi.RefsQuery) (internalapi.RefsAnswer, error) {
	out := internalapi.RefsAnswer{Tasks: []internalapi.Ref{}, Contractors: []internalapi.Ref{}}
	rows, err := pg.All[refRow](ctx, s.DB, refsSQL, pgx.NamedArgs{
		"tasks": q.TaskIDs, "contractors": q.ContractorIDs, "user": q.UserID, "nowhere": uuid.Nil,
	})
	for _, row := range rows {
		if row.Contractor {
			out.Contractors = append(out.Contractors, row.Ref)
		} else {
			out.Tasks = append(out.Tasks, row.Ref)
		}
	}
	return out, err
}
