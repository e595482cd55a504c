package notification

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"hearth.internal/pkg/pg"
)

// queues are the measures of what waits.
type queues struct {
	messages  *prometheus.GaugeVec // seconds, the oldest that is due, by lane
	reminders prometheus.Gauge
}

// measure registers the service's measures.
func (s *Service) measure(r prometheus.Registerer) {
	s.sent = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "hearth_messages_total", Help: "Messages handed to providers, by lane and what came of it: sent, dead, refused, later.",
	}, []string{"lane", "outcome"})
	s.queues = queues{
		messages: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hearth_messages_late_seconds", Help: "For how long the message that is due longest has been so, by lane.",
		}, []string{"lane"}),
		reminders: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hearth_reminders_late_seconds", Help: "For how long the reminder that is due longest has been so.",
		}),
	}
	r.MustRegister(s.sent, s.queues.messages, s.queues.reminders)
}

// measureQueues looks how late what is due is.
func (s *Service) measureQueues(ctx context.Context) error {
	rows, err := pg.All[struct {
		Lane string
		Late float64
	}](ctx, s.DB, `
		SELECT l.lane, coalesce(extract(epoch FROM @now::timestamptz - greatest(m.next_at, m.created_at))::float8, 0) AS late
		FROM unnest(ARRAY['mail', 'apns', 'apns_sandbox', 'fcm']) AS l(lane) LEFT JOIN LATERAL (
			SELECT m.next_at, m.created_at FROM messages m WHERE m.lane = l.lane AND m.state IN ('pending', 'sending') ORDER BY m.next_at LIMIT 1) m ON true
		UNION ALL
		SELECT '', coalesce((SELECT extract(epoch FROM @now::timestamptz - fire_at)::float8 FROM reminders WHERE fire_at IS NOT NULL ORDER BY fire_at LIMIT 1), 0)`,
		pgx.NamedArgs{"now": s.Clock.Now()})
	if err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	for _, row := range rows {
		if row.Lane == "" {
			s.queues.reminders.Set(max(row.Late, 0))
			continue
		}
		s.queues.messages.WithLabelValues(row.Lane).Set(max(row.Late, 0))
	}
	return nil
}
