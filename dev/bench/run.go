package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"time"

	"hearth.internal/dev/system"
)

// Options say how to measure.
type Options struct {
	Postgres, Redis string
	Each            time.Duration // for each target of each board
	Grown           int           // tasks of others in the end; 0: not measured
	Out             io.Writer
}

const (
	fullBoard = 50
	pool      = 16
)

// Boards measures the board of fifty tasks and that of an empty residence, through the gateway and beside the floor.
func Boards(ctx context.Context, o Options) (err error) {
	secrets, err := system.NewSecrets()
	if err != nil {
		return err
	}
	files, err := os.MkdirTemp("", "hearth-bench-")
	if err != nil {
		return fmt.Errorf("directory for files: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(files)) }()
	// As in production: a tenth of the traces recorded, and logs kept. Nobody collects them here.
	s, err := system.Start(ctx, system.Options{
		Postgres: o.Postgres, Cache: o.Redis, Queue: o.Redis, Secrets: secrets, Pool: pool, Prefix: "bench_", Storage: system.Directory(files),
		Environ: []string{"HEARTH_TRACE_RATIO=0.1"},
	})
	if err != nil {
		return err
	}
	defer func() { _ = s.Stop() }()
	database, err := s.Database("task")
	if err != nil {
		return err
	}
	papers, err := s.Database("document")
	if err != nil {
		return err
	}
	f, err := startFloor(ctx, database, papers, o.Redis)
	if err != nil {
		return err
	}
	defer f.close()
	_, _ = fmt.Fprintf(o.Out, "%d connections, %v each in %d turns, %d cores, Go %s; everything in one process, load included\n\n",
		connections, o.Each, rounds, runtime.NumCPU(), runtime.Version()[2:])
	for _, b := range []struct {
		what  string
		tasks int
	}{{"board of 50 tasks", fullBoard}, {"board of an empty residence", 0}} {
		ours, home, err := household(ctx, s.URL, b.tasks)
		if err != nil {
			return err
		}
		floor, err := f.list(ctx, floorBoard, o.Redis, home, b.tasks*300)
		if err != nil {
			return err
		}
		ours.wants = b.tasks * 300
		a, z, err := versus(ctx, ours, floor, o.Each)
		if err != nil {
			return err
		}
		report(o.Out, b.what, a, z)
	}
	if err := benchStatus(ctx, o, s.URL, f); err != nil {
		return err
	}
	if err := benchPapers(ctx, o, s.URL, f); err != nil {
		return err
	}
	if o.Grown == 0 {
		return nil
	}
	return grown(ctx, o, s.URL, database)
}

// household registers somebody with one residence of so many tasks, and answers their board.
func household(ctx context.Context, gateway string, tasks int) (target, string, error) {
	c := &client{base: gateway}
	name := fmt.Sprintf("bench%d", time.Now().UnixNano()%1e12)
	var person struct{ Token string }
	if err := c.post(ctx, "/api/auth/register/", map[string]any{"email": name + "@example.org", "username": name,
		"password": "correct horse 7 battery", "first_name": "Ben", "last_name": "Chmark"}, &person); err != nil {
		return target{}, "", err
	}
	c.token = person.Token
	var home struct{ ID string }
	if err := c.post(ctx, "/api/residences/", map[string]any{"name": "Maple Street"}, &home); err != nil {
		return target{}, "", err
	}
	var list []any
	for i := range tasks {
		list = append(list, map[string]any{"residence_id": home.ID, "title": fmt.Sprintf("Task number %d", i),
			"description": "Something that a house wants done now and then.", "due_date": time.Now().AddDate(0, 0, i-20).Format(time.DateOnly)})
	}
	if tasks > 0 {
		if err := c.post(ctx, "/api/tasks/bulk/", map[string]any{"tasks": list}, nil); err != nil {
			return target{}, "", err
		}
	}
	return target{name: "Hearth", url: gateway + "/api/tasks/", header: map[string]string{"Authorization": "Token " + c.token}}, home.ID, nil
}

type client struct{ base, token string }

func (c *client) post(ctx context.Context, path string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return c.send(ctx, path, "application/json", bytes.NewReader(raw), into)
}

func (c *client) send(ctx context.Context, path, contentType string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	req.Header.Set("Content-Type", contentType)
	if c.token != "" {
		req.Header.Set("Authorization", "Token "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s answered %d: %s", path, resp.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
