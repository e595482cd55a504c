package document

import "hearth.internal/pkg/room"

// rooms say what owners have room for.
func (s *Service) rooms() room.Directories { return room.Directories{Plans: s.Plans, Access: s.Access} }
