package billing

import "context"

// AskShops asks the shops about what should have been renewed, and what is to be checked.
func (p *Probe) AskShops(ctx context.Context) error { return p.s.checkAll(ctx) }

// ReviveClaimed has worked off again what was told of purchases that are claimed by now.
func (p *Probe) ReviveClaimed(ctx context.Context) error { return p.s.reviveClaimed(ctx) }
