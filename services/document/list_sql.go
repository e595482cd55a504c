package document

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// filteredDocuments are the documents d that a filter leaves.
const filteredDocuments = `
FROM documents d
WHERE d.residence_id = ANY(@mine::uuid[])
	AND (@type::text IS NULL OR d.document_type = @type::text)
	AND (@active::boolean IS NULL OR d.is_active = @active::boolean)
	AND (@until::date IS NULL OR d.end_date BETWEEN @today::date AND @until::date)
	AND (@contractor::uuid IS NULL OR d.contractor_id = @contractor::uuid)
	AND (@task::uuid IS NULL OR d.task_id = @task::uuid)
	AND (@equipment::uuid IS NULL OR d.equipment_id = @equipment::uuid)`

func (f DocumentFilter) args(v ListView, limit int) pgx.NamedArgs {
	args := pgx.NamedArgs{
		"mine": v.homes, "type": nil, "active": f.Active, "today": v.today, "until": nil, "contractor": orNull(f.ContractorID),
		"task": orNull(f.TaskID), "equipment": orNull(f.EquipmentID), "limit": limit,
	}
	if f.Type != "" {
		args["type"] = f.Type
	}
	if f.ExpiringWithin != nil {
		args["until"] = v.today.AddDays(*f.ExpiringWithin)
	}
	return args
}

const documentsSQL = `
SELECT ` + documentColumns + filteredDocuments + `
	AND (@before_at::timestamptz IS NULL OR (d.created_at, d.id) < (@before_at::timestamptz, @before_id::uuid))
ORDER BY d.created_at DESC, d.id DESC LIMIT @limit::int`

func readDocuments(ctx context.Context, q pg.Querier, v ListView, f DocumentFilter, before *documentPlace, limit int) ([]Document, error) {
	args := f.args(v, limit)
	args["before_at"], args["before_id"] = nil, nil
	if before != nil {
		args["before_at"], args["before_id"] = before.At, before.ID
	}
	return pg.All[Document](ctx, q, documentsSQL, args)
}

// words are what a text looks for: each of its words, as the documents' are folded and parted, at the beginning of one of
// theirs. The parser that parts them leaves nothing of what is typed but lexemes, which are quoted; without any it is null.
const words = `(
	SELECT string_agg('''' || replace(replace(l.word, '\', '\\'), '''', '''''') || ''':*', ' & ')::tsquery
	FROM unnest(tsvector_to_array(words_of(@text::text))) AS l(word))`

// The rank is that of a weight's best word, whatever the length of the file's text.
const findDocumentsSQL = `
SELECT * FROM (
	SELECT ` + documentColumns + `, ts_rank(d.words, ` + words + `)::float8 AS rank` + filteredDocuments + `
		AND d.words @@ ` + words + `) d
WHERE @after_rank::float8 IS NULL OR (d.rank, d.id) < (@after_rank::float8, @after_id::uuid)
ORDER BY d.rank DESC, d.id DESC LIMIT @limit::int`

func findDocuments(ctx context.Context, q pg.Querier, v ListView, f DocumentFilter, after *foundPlace, limit int) ([]foundDocument, error) {
	args := f.args(v, limit)
	args["text"], args["after_rank"], args["after_id"] = f.Text, nil, nil
	if after != nil {
		args["after_rank"], args["after_id"] = after.Rank, after.ID
	}
	return pg.All[foundDocument](ctx, q, findDocumentsSQL, args)
}
