package residence

import "hearth.internal/pkg/people"

func (s *Service) events() {
	people.Listen(s.Consumer) // user.registered, user.changed: names in the list of members
}
