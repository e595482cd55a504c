package document

// routes is every operation of the service. Fixed paths come before those with an id: the first that matches answers.
func (s *Service) routes() {
}
