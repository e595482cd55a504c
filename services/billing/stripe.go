package billing

// StripeConfig is how Stripe is reached; without it nothing is sold there.
type StripeConfig struct{}

// openStripe opens the shop, if it is configured.
func (s *Service) openStripe(Config) (shop, error) {
	return nil, nil //nolint:nilnil // not configured
}
