package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/redis/go-redis/v9"
)

// statusSize is of a status, at the least.
const statusSize = 300

// benchStatus measures what the apps ask most often, and what takes no SQL once it is known: beside a floor of one Redis
// GET in the gateway and one in the service, with a value of the same size.
func benchStatus(ctx context.Context, o Options, gateway string, f *floor) error {
	ours, _, err := household(ctx, gateway, fullBoard)
	if err != nil {
		return err
	}
	ours.url, ours.wants = gateway+"/api/subscription/status/", statusSize
	value, err := fetch(ctx, ours)
	if err != nil {
		return err
	}
	floor, err := f.cached(ctx, o.Redis, value)
	if err != nil {
		return err
	}
	a, z, err := versus(ctx, ours, floor, o.Each)
	if err != nil {
		return err
	}
	report(o.Out, "subscription status, warm", a, z)
	return nil
}

// fetch answers what a target answers.
func fetch(ctx context.Context, t target) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.url, err)
	}
	for name, value := range t.header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !json.Valid(raw)) {
		err = fmt.Errorf("answered %d: %s", resp.StatusCode, raw)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.url, err)
	}
	return raw, nil
}

// cached is the floor's answer of a value that is in Redis.
func (f *floor) cached(ctx context.Context, redisURL string, value []byte) (target, error) {
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return target{}, fmt.Errorf("floor: %w", err)
	}
	rdb := redis.NewClient(options)
	defer func() { _ = rdb.Close() }()
	if err := rdb.Set(ctx, floorCached, value, 0).Err(); err != nil {
		return target{}, fmt.Errorf("floor: %w", err)
	}
	return target{name: "bare floor", url: f.url + "/cached/status", wants: len(value) / 2, header: map[string]string{"Accept": "application/json"}}, nil
}
