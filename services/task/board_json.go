package task

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/money"
)

// How long a card and a completion on it are in JSON, about.
const (
	cardSize       = 1200
	completionSize = 150
)

// AppendJSON writes the board as encoding/json does, in a quarter of its time: boards are long and asked for all day.
func (b Board) AppendJSON(to []byte) []byte {
	size := 0
	for _, c := range b.Columns {
		for _, task := range c.Tasks {
			size += cardSize + completionSize*len(task.Completions)
		}
	}
	j := jsonWriter{append(make([]byte, 0, len(to)+size+cardSize), to...)}
	j.raw(`{"days_threshold":`)
	j.int(b.DaysThreshold)
	j.raw(`,"columns":[`)
	for i, c := range b.Columns {
		j.comma(i)
		j.column(c)
	}
	j.raw("]}")
	return j.b
}

// jsonWriter appends values. Its methods for members write a comma, the name and the value.
type jsonWriter struct{ b []byte }

func (j *jsonWriter) raw(s string) { j.b = append(j.b, s...) }

func (j *jsonWriter) comma(i int) {
	if i > 0 {
		j.b = append(j.b, ',')
	}
}

func (j *jsonWriter) int(n int) { j.b = strconv.AppendInt(j.b, int64(n), 10) }

func (j *jsonWriter) text(s string) {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			j.escaped(s)
			return
		}
	}
	j.b = append(append(append(j.b, '"'), s...), '"')
}

// escaped leaves what is not plain to encoding/json, which always writes a string.
func (j *jsonWriter) escaped(s string) {
	e := json.NewEncoder((*appendTo)(&j.b))
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	j.b = j.b[:len(j.b)-1] // its line break
}

type appendTo []byte

func (a *appendTo) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

func (j *jsonWriter) id(id uuid.UUID) {
	const digits = "0123456789abcdef"
	text := [38]byte{0: '"', 9: '-', 14: '-', 19: '-', 24: '-', 37: '"'}
	at := 1
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			at++
		}
		text[at], text[at+1] = digits[b>>4], digits[b&0xf]
		at += 2
	}
	j.b = append(j.b, text[:]...)
}

func (j *jsonWriter) instant(t time.Time) {
	j.b = append(t.AppendFormat(append(j.b, '"'), time.RFC3339Nano), '"')
}

func (j *jsonWriter) day(d day.Day) { j.text(d.String()) }

func (j *jsonWriter) money(a money.Amount) { j.text(a.String()) }

func (j *jsonWriter) name(name string) {
	j.b = append(append(append(j.b, ',', '"'), name...), '"', ':')
}

// member writes a member whose value may be null.
func member[T any](j *jsonWriter, name string, value *T, write func(T)) {
	j.name(name)
	if value == nil {
		j.raw("null")
		return
	}
	write(*value)
}

func (j *jsonWriter) flag(name string, value bool) {
	j.name(name)
	j.b = strconv.AppendBool(j.b, value)
}

func (j *jsonWriter) column(c Column) {
	j.raw(`{"name":`)
	j.text(c.Name)
	j.name("title")
	j.text(c.Title)
	j.name("color")
	j.text(c.Color)
	j.name("icon")
	j.text(c.Icon)
	j.name("count")
	j.int(c.Count)
	j.raw(`,"tasks":[`)
	for i := range c.Tasks {
		j.comma(i)
		j.card(&c.Tasks[i])
	}
	j.raw("]}")
}

func (j *jsonWriter) card(t *BoardTask) {
	j.raw(`{"id":`)
	j.id(t.ID)
	j.name("residence_id")
	j.id(t.ResidenceID)
	j.name("title")
	j.text(t.Title)
	member(j, "description", t.Description, j.text)
	member(j, "category_id", t.CategoryID, j.id)
	member(j, "priority_id", t.PriorityID, j.id)
	member(j, "frequency_id", t.FrequencyID, j.id)
	member(j, "custom_interval_days", t.CustomIntervalDays, j.int)
	member(j, "rrule", t.RRule, j.text)
	j.name("reschedule_from")
	j.text(t.RescheduleFrom)
	member(j, "season_start", t.SeasonStart, j.text)
	member(j, "season_end", t.SeasonEnd, j.text)
	member(j, "due_date", t.DueDate, j.day)
	member(j, "next_due_date", t.NextDueDate, j.day)
	j.flag("in_progress", t.InProgress)
	j.flag("is_cancelled", t.IsCancelled)
	j.flag("is_archived", t.IsArchived)
	member(j, "assigned_to_id", t.AssignedToID, j.id)
	member(j, "assigned_to_name", t.AssignedToName, j.text)
	member(j, "contractor_id", t.ContractorID, j.id)
	member(j, "equipment_id", t.EquipmentID, j.id)
	member(j, "estimated_cost", t.EstimatedCost, j.money)
	member(j, "actual_cost", t.ActualCost, j.money)
	member(j, "template_id", t.TemplateID, j.id)
	member(j, "last_completed_at", t.LastCompletedAt, j.instant)
	j.name("completion_count")
	j.int(t.CompletionCount)
	j.name("created_by_id")
	j.id(t.CreatedByID)
	j.name("version")
	j.int(t.Version)
	j.name("created_at")
	j.instant(t.CreatedAt)
	j.name("updated_at")
	j.instant(t.UpdatedAt)
	j.flag("is_done", t.IsDone)
	member(j, "paused_from", t.PausedFrom, j.day)
	member(j, "paused_until", t.PausedUntil, j.day)
	member(j, "end_date", t.EndDate, j.day)
	member(j, "max_occurrences", t.MaxOccurrences, j.int)
	j.checklist(t.Checklist)
	j.name("rotation")
	j.text(t.Rotation)
	j.raw(`,"rotation_member_ids":[`)
	for i, id := range t.RotationMemberIDs {
		j.comma(i)
		j.id(id)
	}
	j.raw(`],"completions":[`)
	for i, c := range t.Completions {
		j.comma(i)
		j.raw(`{"id":`)
		j.id(c.ID)
		j.name("task_id")
		j.id(c.TaskID)
		j.name("completed_at")
		j.instant(c.CompletedAt)
		j.raw("}")
	}
	j.raw("]}")
}

func (j *jsonWriter) checklist(items []ChecklistItem) {
	j.raw(`,"checklist":[`)
	for i, item := range items {
		j.comma(i)
		j.raw(`{"id":`)
		j.id(item.ID)
		j.name("title")
		j.text(item.Title)
		j.flag("is_done", item.IsDone)
		member(j, "done_by_id", item.DoneByID, j.id)
		member(j, "done_at", item.DoneAt, j.instant)
		j.raw("}")
	}
	j.raw("]")
}
