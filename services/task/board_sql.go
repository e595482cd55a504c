package task

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// boardSQL is the hot statement of Hearth: one index scan of the residences' tasks, everything a card shows in the row.
// The sub-select around the ids keeps the planner from planning anew for each of them.
const (
	boardSQL         = boardRows + boardOrder
	filteredBoardSQL = boardRows + `
	AND (@assigned::uuid IS NULL OR t.assigned_to_id = @assigned::uuid)
	AND (@category::uuid IS NULL OR t.category_id = @category::uuid)
	AND (@priority::uuid IS NULL OR t.priority_id = @priority::uuid)
	AND (@equipment::uuid IS NULL OR t.equipment_id = @equipment::uuid)
	AND (@text::text IS NULL OR t.title ILIKE @text::text OR t.description ILIKE @text::text)` + boardOrder

	boardRows = `
SELECT ` + taskColumns + `, t.recent_ids, t.recent_at
FROM tasks` + withAssignee + `LEFT JOIN task_priorities y ON y.id = t.priority_id
WHERE t.residence_id = ANY((SELECT @mine::uuid[])::uuid[]) AND NOT t.is_archived`
	boardOrder = `
ORDER BY t.next_due_date NULLS LAST, y.display_order DESC NULLS LAST, t.title, t.id`
)

func readBoard(ctx context.Context, q pg.Querier, homes []uuid.UUID, f BoardFilter) ([]BoardTask, error) {
	sql, args := boardSQL, pgx.NamedArgs{"mine": homes}
	if f != (BoardFilter{}) {
		sql = filteredBoardSQL
		args["assigned"], args["category"], args["priority"], args["text"] = orNull(f.AssignedTo), orNull(f.CategoryID), orNull(f.PriorityID), nil
		args["equipment"] = orNull(f.EquipmentID)
		if f.Text != "" {
			args["text"] = contains(f.Text)
		}
	}
	return pg.Each(ctx, q, sql, args, scanBoardTask)
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// scanBoardTask reads one row. Prepared statements answer in binary; without preparing it is text, and pgx reads that.
func scanBoardTask(rows pgx.Rows) (BoardTask, error) {
	if rows.FieldDescriptions()[0].Format == pgx.BinaryFormatCode {
		w := wire{columns: rows.RawValues()}
		return w.boardTask(), nil
	}
	var b BoardTask
	t := &b.Task
	var ids []uuid.UUID
	var at []time.Time
	err := rows.Scan(&t.ID, &t.ResidenceID, &t.Title, &t.Description, &t.CategoryID, &t.PriorityID, &t.FrequencyID,
		&t.CustomIntervalDays, &t.RRule, &t.RescheduleFrom, &t.SeasonStart, &t.SeasonEnd, &t.DueDate, &t.NextDueDate,
		&t.InProgress, &t.IsCancelled, &t.IsArchived, &t.AssignedToID, &t.AssignedToName,
		&t.ContractorID, &t.EquipmentID, &t.EstimatedCost, &t.ActualCost, &t.TemplateID, &t.LastCompletedAt, &t.CompletionCount, &t.CreatedByID,
		&t.Version, &t.CreatedAt, &t.UpdatedAt,
		&t.IsDone, &t.PausedFrom, &t.PausedUntil, &t.EndDate, &t.MaxOccurrences, &t.Checklist, &t.Rotation, &t.RotationMemberIDs, &ids, &at)
	if err != nil {
		return b, fmt.Errorf("task of a board: %w", err)
	}
	b.Completions = make([]BoardCompletion, len(ids))
	for i := range ids {
		b.Completions[i] = BoardCompletion{ids[i], t.ID, at[i].UTC()}
	}
	return b, nil
}
