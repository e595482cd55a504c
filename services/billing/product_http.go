package billing

import "context"

func (s *Service) getProducts(ctx context.Context, in *PlatformQuery) (*taggedOutput[[]ForSale], error) {
	return tagged(s.ForSaleOn(ctx, in.Platform))
}

func (s *Service) adminProducts(ctx context.Context, _ *struct{}) (*bodyOutput[[]Product], error) {
	return list(ctx, s.allProducts)
}

// ProductPath names a product.
type ProductPath struct {
	Source    Source `path:"source" enum:"stripe,apple,google" doc:"The shop"`
	ProductID string `path:"product_id" pattern:"^[A-Za-z0-9._:-]{1,200}$" doc:"The shop's name for it"`
}

func (s *Service) adminProduct(ctx context.Context, in *ProductPath) (*versionedOutput[Product], error) {
	all, err := s.allProducts(ctx, false)
	p, err := oneOf(all, err, func(p Product) bool { return p.Source == in.Source && p.ProductID == in.ProductID })
	return answerVersioned(p, false, err)
}

type putProductInput struct {
	ProductPath
	Put
	Body struct {
		By
		ProductFields
	}
}

func (s *Service) putProduct(ctx context.Context, in *putProductInput) (*versionedOutput[Product], error) {
	return answerVersioned(s.PutProduct(ctx, in.Source, in.ProductID, in.Body.ProductFields, in.edit(in.Body.By)))
}

type removeProductInput struct {
	ProductPath
	Remove
}

func (s *Service) deleteProduct(ctx context.Context, in *removeProductInput) (*struct{}, error) {
	e := in.edit()
	e.table, e.key = productTable, string(in.Source)+"/"+in.ProductID
	e.row = map[string]string{"source": string(in.Source), "product_id": in.ProductID}
	return nil, s.remove(ctx, e)
}
