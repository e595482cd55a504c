package residence_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"hearth.internal/pkg/boot"
	"hearth.internal/pkg/config"
	"hearth.internal/pkg/seal"
	"hearth.internal/pkg/testkit"
	"hearth.internal/residence"
)

func TestKeysThatAreTooWeakStopTheStart(t *testing.T) {
	cfg := configured(t)
	for _, keys := range []config.Keys{nil, {[]byte("short")}, append(shareKey, shareKey...)} {
		cfg.ShareKey = keys
		_, err := boot.Open(t.Context(), residence.New(cfg), boot.Options{Config: cfg.Service, LogOut: t.Output(), OpsOff: true})
		if err == nil || !strings.Contains(err.Error(), "HEARTH_SHARE_KEY") || strings.Contains(err.Error(), "short") {
			t.Errorf("%d keys: %v", len(keys), err)
		}
	}
	cfg = configured(t)
	cfg.SealPublicKey = seal.PublicKey{}
	if _, err := boot.Open(t.Context(), residence.New(cfg), boot.Options{Config: cfg.Service, LogOut: t.Output(), OpsOff: true}); err == nil ||
		!strings.Contains(err.Error(), "HEARTH_SEAL_PUBLIC_KEY") {
		t.Errorf("no key of notification: %v", err)
	}
}

// Behind a PgBouncer in transaction mode nothing is prepared: every statement must find its types by itself.
func TestEverythingWorksWithoutPreparedStatements(t *testing.T) {
	h := setUp(t, func(cfg *residence.Config) { cfg.DatabasePrepare = false })
	member := h.join(t, "member")
	h.owner.Want(200, "PUT", at(h.home, ""), `{"name":"Hut","bathrooms":1.5,"lot_size":2,"purchase_date":"2020-01-01","purchase_price":"1.00","is_primary":true}`)
	a := h.owner.Want(200, "PATCH", at(h.home, ""), `{"city":"Oslo"}`)
	trips(t, 1, "patch", a)
	got := h.read(t, h.owner)
	if *got.City != "Oslo" || *got.Bathrooms != 1.5 || *got.LotSize != 2 || got.PurchaseDate.String() != "2020-01-01" ||
		got.PurchasePrice.String() != "1.00" || !got.IsPrimary || !got.CreatedAt.Equal(testkit.Start) {
		t.Errorf("read %+v", got)
	}
	for _, path := range []string{"", "?limit=1", "my-residences/", "summary/", "types/", h.home.ID.String() + "/users/"} {
		member.Want(200, "GET", base+path, nil)
	}
	h.owner.Want(201, "POST", at(h.home, "generate-share-code/"), `{"email":"sam@example.com"}`)
	h.owner.Want(200, "POST", at(h.home, "transfer/"), fmt.Sprintf(`{"user_id":%q}`, member.Actor.UserID))
	member.Want(204, "DELETE", at(h.home, ""), nil)
}

// No request scans a table, however large it grows: that is what the indexes are for.
func TestHotStatementsUseIndexes(t *testing.T) {
	cfg := configured(t)
	conn, err := pgx.Connect(t.Context(), cfg.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	// The tables are empty: a scan would be cheapest, unless it is forbidden. Plans are those for any arguments.
	if _, err := conn.Exec(t.Context(), `SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan`); err != nil {
		t.Fatal(err)
	}
	for i, statement := range residence.New(cfg).Hot {
		sql, args, err := pgx.NamedArgs{}.RewriteQuery(t.Context(), conn, statement, nil)
		if err != nil {
			t.Fatal(err)
		}
		nulls := strings.TrimSuffix(strings.Repeat("NULL, ", len(args)), ", ")
		name := fmt.Sprintf("hot_%d", i)
		if _, err := conn.Exec(t.Context(), "PREPARE "+name+" AS "+sql); err != nil {
			t.Fatal(err)
		}
		rows, err := conn.Query(t.Context(), "EXPLAIN EXECUTE "+name+"("+nulls+")", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan, "\n"); strings.Contains(text, "Seq Scan") || !strings.Contains(text, "Index Cond") {
			t.Errorf("%s\n%s", statement, text)
		}
	}
}
