package task

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
)

// wire reads the columns of one row, in order, as PostgreSQL sends them in binary. It exists for the board alone: there
// it saves as much time as the database needs for the whole statement.
type wire struct {
	columns [][]byte // nil: NULL
	at      int
}

func (w *wire) next() []byte {
	column := w.columns[w.at]
	w.at++
	return column
}

// opt is a column that may be NULL, read by read.
func opt[T any](w *wire, read func([]byte) T) *T {
	column := w.next()
	if column == nil {
		return nil
	}
	value := read(column)
	return &value
}

func wireID(b []byte) uuid.UUID       { return uuid.UUID(b) }
func wireText(b []byte) string        { return string(b) }
func wireBool(b []byte) bool          { return b[0] != 0 }
func wireInt(b []byte) int            { return int(int32(binary.BigEndian.Uint32(b))) }   //nolint:gosec // two's complement
func wireMoney(b []byte) money.Amount { return money.Amount(binary.BigEndian.Uint64(b)) } //nolint:gosec // two's complement

// wireDay: days since 2000.
func wireDay(b []byte) day.Day { return day.Of(2000, time.January, 1+wireInt(b)) }

// wireChecklist: JSON, which comes as text beside columns in binary. Most tasks have none, and are spared the decoding.
func wireChecklist(b []byte) []ChecklistItem {
	items := []ChecklistItem{}
	if len(b) > len("[]") {
		_ = json.Unmarshal(b, &items) // the column is written from the same type
	}
	return items
}

// epoch2000 is where PostgreSQL counts from, in Unix microseconds.
var epoch2000 = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// wireInstant: microseconds since 2000.
func wireInstant(b []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b)) + epoch2000).UTC() //nolint:gosec // two's complement
}

// Of an array: dimensions, flags, type; of its one dimension: length, lower bound. Then each element after its length.
const (
	arrayHead = 12
	boundHead = 8
	itemHead  = 4
)

// each calls take with every element of an array of one dimension and no NULLs.
func (w *wire) each(take func(i, n int, item []byte)) {
	b := w.next()
	if len(b) < arrayHead+boundHead { // empty ones have no dimension
		return
	}
	n := wireInt(b[arrayHead:])
	b = b[arrayHead+boundHead:]
	for i := range n {
		size := wireInt(b)
		take(i, n, b[itemHead:itemHead+size])
		b = b[itemHead+size:]
	}
}

// boardTask reads a row of boardSQL.
func (w *wire) boardTask() BoardTask {
	var b BoardTask
	t := &b.Task
	t.ID, t.ResidenceID, t.Title, t.Description = wireID(w.next()), wireID(w.next()), wireText(w.next()), opt(w, wireText)
	t.CategoryID, t.PriorityID, t.FrequencyID = opt(w, wireID), opt(w, wireID), opt(w, wireID)
	t.CustomIntervalDays, t.RRule, t.RescheduleFrom = opt(w, wireInt), opt(w, wireText), wireText(w.next())
	t.SeasonStart, t.SeasonEnd, t.DueDate, t.NextDueDate = opt(w, wireText), opt(w, wireText), opt(w, wireDay), opt(w, wireDay)
	t.InProgress, t.IsCancelled, t.IsArchived = wireBool(w.next()), wireBool(w.next()), wireBool(w.next())
	t.AssignedToID, t.AssignedToName = opt(w, wireID), opt(w, wireText)
	t.ContractorID, t.EquipmentID = opt(w, wireID), opt(w, wireID)
	t.EstimatedCost, t.ActualCost = opt(w, wireMoney), opt(w, wireMoney)
	t.TemplateID = opt(w, wireID)
	t.LastCompletedAt, t.CompletionCount, t.CreatedByID = opt(w, wireInstant), wireInt(w.next()), wireID(w.next())
	t.Version, t.CreatedAt, t.UpdatedAt = wireInt(w.next()), wireInstant(w.next()), wireInstant(w.next())
	t.IsDone, t.PausedFrom, t.PausedUntil = wireBool(w.next()), opt(w, wireDay), opt(w, wireDay)
	t.EndDate, t.MaxOccurrences, t.Checklist, t.Rotation = opt(w, wireDay), opt(w, wireInt), wireChecklist(w.next()), wireText(w.next())
	t.RotationMemberIDs = []uuid.UUID{}
	w.each(func(_, _ int, id []byte) { t.RotationMemberIDs = append(t.RotationMemberIDs, wireID(id)) })
	b.Completions = []BoardCompletion{}
	w.each(func(i, n int, id []byte) {
		if i == 0 {
			b.Completions = make([]BoardCompletion, n)
		}
		b.Completions[i] = BoardCompletion{ID: wireID(id), TaskID: t.ID}
	})
	w.each(func(i, _ int, at []byte) { b.Completions[i].CompletedAt = wireInstant(at) })
	return b
}
