package billing

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/pg"
)

// ForSale is a product as who may buy it sees it.
type ForSale struct {
	Source    Source `json:"source" enum:"stripe,apple,google"`
	ProductID string `json:"product_id" doc:"The shop's name for it: Stripe's price, Apple's and Google's product"`
	Tier      string `json:"tier" enum:"pro"`
	Period    string `json:"period" enum:"month,year"`
}

// ProductFields are what staff say of a product.
type ProductFields struct {
	Tier     string `json:"tier" required:"true" enum:"pro"`
	Period   string `json:"period" required:"true" enum:"month,year"`
	IsActive bool   `json:"is_active" required:"true" doc:"It is for sale; what is not goes on counting for who has bought it"`
}

func (p Product) version() int { return p.Version }

// soldOn is the shop of each platform.
var soldOn = map[string]Source{"ios": Apple, "android": Google, "web": Stripe}

// ForSaleOn answers what is for sale on a platform; empty: on all of them.
func (s *Service) ForSaleOn(ctx context.Context, platform string) ([]ForSale, error) {
	kept, err := offered(ctx, s, productTable, s.allProducts)
	out := []ForSale{}
	for _, p := range kept {
		if platform == "" || p.Source == soldOn[platform] {
			out = append(out, ForSale{p.Source, p.ProductID, p.Tier, p.Period})
		}
	}
	return out, err
}

func (s *Service) allProducts(ctx context.Context, active bool) ([]Product, error) {
	return pg.All[Product](ctx, s.DB, `
		SELECT source, product_id, tier, period, is_active, version FROM products
		WHERE is_active OR NOT @active::bool ORDER BY source, product_id`, pgx.NamedArgs{"active": active})
}

// PutProduct adds a product or replaces it. What has been bought keeps its tier until the shop tells of it again.
func (s *Service) PutProduct(ctx context.Context, source Source, id string, in ProductFields, e edit) (Product, bool, error) {
	out := Product{Source: source, ProductID: id, Tier: in.Tier, Period: in.Period, IsActive: in.IsActive}
	e.table, e.key, e.row = productTable, string(source)+"/"+id, out
	version, added, err := s.put(ctx, e)
	out.Version = version
	return out, added, err
}
