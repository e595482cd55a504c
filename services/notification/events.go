package notification

import "hearth.internal/pkg/events"

func (s *Service) listen() {
	events.On(s.Consumer, events.UserRegistered, s.userRegistered)
	events.On(s.Consumer, events.UserChanged, s.userChanged)
	events.On(s.Consumer, events.UserDeleted, s.userDeleted)
	events.On(s.Consumer, events.CodeIssued, s.codeIssued, s.nudge)
	events.On(s.Consumer, events.PasswordChanged, s.passwordChanged)
	events.On(s.Consumer, events.SessionsEnded, s.sessionsEnded)
	events.On(s.Consumer, events.ResidenceCreated, s.residenceCreated)
	events.On(s.Consumer, events.ResidenceChanged, s.residenceChanged)
	events.On(s.Consumer, events.ResidenceDeleted, s.residenceDeleted)
	events.On(s.Consumer, events.MembersChanged, s.membersChanged)
	events.On(s.Consumer, events.Invited, s.invited)
	events.On(s.Consumer, events.TaskCreated, s.taskChanged)
	events.On(s.Consumer, events.TaskChanged, s.taskChanged)
	events.On(s.Consumer, events.TaskDeleted, s.taskDeleted)
	events.On(s.Consumer, events.TaskCompleted, s.taskCompleted)
	events.On(s.Consumer, events.CompletionChanged, s.completionChanged)
	events.On(s.Consumer, events.ReportRequested, s.reportRequested)
	events.On(s.Consumer, events.DocumentChanged, s.documentChanged)
	events.On(s.Consumer, events.BillingNotice, s.billingNotice)
}
