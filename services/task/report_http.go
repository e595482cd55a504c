package task

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hearth.internal/pkg/day"
	"hearth.internal/pkg/identity"
	"hearth.internal/pkg/internalapi"
	"hearth.internal/task/report"
)

// TasksReport is what somebody may say of the report of tasks that they want.
type TasksReport struct {
	From  *day.Day `json:"from" nullable:"true" doc:"First day; left out: a year before the last"`
	To    *day.Day `json:"to" nullable:"true" doc:"Last day; left out: today in the residence's zone"`
	Paper string   `json:"paper" enum:"a4,letter" default:"a4"`
	Email bool     `json:"email" doc:"Mail it later instead of answering it"`
}

// HistoryReport is what somebody may say of the history that they want.
type HistoryReport struct {
	Paper string `json:"paper" enum:"a4,letter" default:"a4"`
	Email bool   `json:"email" doc:"Mail it later instead of answering it"`
}

// ReportPath is a residence in the address.
type ReportPath struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The residence"`
}

type tasksReportInput struct {
	ReportPath
	Body *TasksReport // all of it has defaults
}

type historyReportInput struct {
	ReportPath
	Body *HistoryReport // all of it has defaults
}

// reportOutput is a PDF, or word that it will come.
type reportOutput struct {
	Status      int
	Type        string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	NoSniff     string `header:"X-Content-Type-Options"`
	Body        []byte
}

// Queued is the answer when a report will be mailed.
type Queued struct {
	Status string `json:"status" enum:"queued"`
}

// pdf is the type of a report.
const pdf = "application/pdf"

// orMailed names the other answer in the API document.
func orMailed(op *huma.Operation) {
	op.Responses["202"] = &huma.Response{Description: "It will be mailed", Content: map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"status"},
			Properties: map[string]*huma.Schema{"status": {Type: huma.TypeString, Enum: []any{"queued"}}},
		}},
	}}
}

func (s *Service) postTasksReport(ctx context.Context, in *tasksReportInput) (*reportOutput, error) {
	body := TasksReport{}
	if in.Body != nil {
		body = *in.Body
	}
	return s.answerReport(ctx, body.Email, ReportOrder{
		Kind: tasksReport, ResidenceID: in.ID, From: body.From, To: body.To, Paper: report.Paper(body.Paper),
	})
}

func (s *Service) postHistoryReport(ctx context.Context, in *historyReportInput) (*reportOutput, error) {
	body := HistoryReport{}
	if in.Body != nil {
		body = *in.Body
	}
	return s.answerReport(ctx, body.Email, ReportOrder{Kind: historyReport, ResidenceID: in.ID, Paper: report.Paper(body.Paper)})
}

func (s *Service) answerReport(ctx context.Context, email bool, order ReportOrder) (*reportOutput, error) {
	actor := identity.From(ctx)
	if !email {
		return answerPDF(s.MakeReport(ctx, actor, order))
	}
	if err := s.OrderReport(ctx, actor, order); err != nil {
		return nil, err
	}
	queued, err := json.Marshal(Queued{"queued"})
	return &reportOutput{Status: http.StatusAccepted, Type: "application/json", NoSniff: "nosniff", Body: queued}, err
}

func answerPDF(file ReportFile, err error) (*reportOutput, error) {
	if err != nil {
		return nil, err
	}
	return &reportOutput{Status: http.StatusOK, Type: pdf, Disposition: file.disposition(), NoSniff: "nosniff", Body: file.PDF}, nil
}

type internalReportInput struct{ Body internalapi.ReportQuery }

func (s *Service) postInternalReport(ctx context.Context, in *internalReportInput) (*reportOutput, error) {
	q := in.Body
	return answerPDF(s.MakeReport(ctx, identity.Actor{Kind: identity.Person, UserID: q.UserID}, ReportOrder{
		Kind: q.Kind, ResidenceID: q.ResidenceID, From: q.From, To: q.To, Paper: report.Paper(q.Paper), Locale: q.Locale,
	}))
}
