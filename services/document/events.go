package document

import (
	"hearth.internal/pkg/events"
	"hearth.internal/pkg/owners"
)

// listen says what the service does about each event that it hears of.
func (s *Service) listen() {
	events.On(s.Consumer, events.ResidenceCreated, owners.NoteHome)                                // residence.created
	events.On(s.Consumer, events.ResidenceChanged, owners.NoteHome)                                // residence.changed
	events.On(s.Consumer, events.MembersChanged, owners.NoteMembership)                            // residence.members_changed
	events.On(s.Consumer, events.ResidenceDeleted, s.eraseResidence, collectAfter[events.Home](s)) // residence.deleted
	events.On(s.Consumer, events.UserDeleted, s.erasePerson, collectAfter[events.Person](s))       // user.deleted
	events.On(s.Consumer, events.UserChanged, s.claimAvatar)                                       // user.changed
	events.On(s.Consumer, events.TaskCompleted, s.claimCompletion)                                 // task.completed
	events.On(s.Consumer, events.CompletionChanged, s.reclaimCompletion)                           // task.completion_changed
	events.On(s.Consumer, events.TaskDeleted, s.forgetTask, tell[events.TaskRef](s))               // task.deleted
	events.On(s.Consumer, events.TaskChanged, s.followTask, tell[events.TaskRef](s))               // task.changed
	events.On(s.Consumer, events.ContractorChanged, s.hearContractor, tell[events.Contractor](s))  // contractor.changed
}
