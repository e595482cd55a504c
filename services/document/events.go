package document

import (
	"hearth.internal/pkg/events"
)

// listen says what the service does about each event that it hears of.
func (s *Service) listen() {
	events.On(s.Consumer, events.ResidenceDeleted, s.eraseResidence, s.collectSoon) // residence.deleted
	events.On(s.Consumer, events.UserChanged, s.claimAvatar)                        // user.changed
}
