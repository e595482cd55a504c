package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"hearth.internal/pkg/events"
	"hearth.internal/pkg/testkit"
)

const (
	manyStreams = 5000
	// streamCost, in heap and stacks, is far above what a stream costs. Resident memory is not held against it: the race
	// detector's is a multiple.
	streamCost = 64 << 10
)

// childConfig makes this test program be a gateway: its memory is then the gateway's alone.
const childConfig = "TEST_GATEWAY_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childConfig) != "" {
		if err := beChild(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testkit.Main(m)
}

// TestThousandsOfIdleStreams: each costs little, and all hear what happens.
func TestThousandsOfIdleStreams(t *testing.T) {
	streams := manyStreams
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if room := int(limit.Cur) - 500; room < streams {
		streams = room
		t.Logf("only %d streams: this machine allows %d open files", streams, limit.Cur)
	}
	w := build(t)
	v := w.village()
	child := w.startChild(t)
	house := uuid.New()
	tokens := make([]string, streams/livePerPerson)
	for i := range tokens {
		token, session := w.signIn("UTC")
		tokens[i] = token
		v.sees(session.UserID, house)
	}
	before, heapBefore := child.memory(t)

	begun := time.Now()
	conns := make([]*bufio.Reader, len(tokens)*livePerPerson)
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for i := worker; i < len(conns); i += 16 {
				conns[i] = child.open(t, tokens[i/livePerPerson])
			}
		})
	}
	group.Wait()
	opened := time.Since(begun)
	if t.Failed() {
		return
	}
	var after, heap int
	testkit.Eventually(t, "the opening has been cleaned up after", func() bool { // it is garbage that a collection of its own finds
		after, heap = child.memory(t)
		return (heap-heapBefore)/len(conns) < streamCost
	})
	t.Logf("%d streams opened in %v; each costs the gateway %.1f KiB of heap and stacks, and %.1f KiB of resident memory", len(conns),
		opened.Round(time.Millisecond), float64(heap-heapBefore)/1024/float64(len(conns)), float64(after-before)/1024/float64(len(conns)))

	begun = time.Now()
	w.tell(t, in(house, 1))
	for i, conn := range conns {
		if err := hearEvent(conn, "task.changed"); err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
	}
	t.Logf("all heard an event after %v", time.Since(begun).Round(time.Millisecond))
}

// childGateway is a gateway in a process of its own.
type childGateway struct {
	addr, ops string
	pid       int
	mu        sync.Mutex
	conns     []net.Conn
}

func (w *town) startChild(t *testing.T) *childGateway {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &childGateway{addr: freeAddr(t), ops: freeAddr(t)}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childConfig+"=1", "TEST_CHILD_ADDR="+c.addr, "TEST_CHILD_OPS="+c.ops, "TEST_CHILD_CACHE="+w.cfg.CacheURL,
		"TEST_CHILD_KEY="+base64.StdEncoding.EncodeToString(testkit.Key), "TEST_CHILD_AUTH="+w.auth.URL, "TEST_CHILD_RESIDENCE="+w.residence.URL)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe() // its end ends the child
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the gateway did not stop cleanly: %v\n%s", err, out.String())
		}
		for _, conn := range c.conns {
			_ = conn.Close()
		}
	})
	testkit.Eventually(t, "the gateway is ready", func() bool {
		resp, err := http.Get("http://" + c.ops + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return c
}

// beChild runs until the parent lets go.
func beChild() error {
	var cfg Config
	cfg.Addr, cfg.OpsAddr, cfg.CacheURL = os.Getenv("TEST_CHILD_ADDR"), os.Getenv("TEST_CHILD_OPS"), os.Getenv("TEST_CHILD_CACHE")
	cfg.AuthURL, cfg.ResidenceURL = os.Getenv("TEST_CHILD_AUTH"), os.Getenv("TEST_CHILD_RESIDENCE")
	cfg.TaskURL, cfg.DocumentURL, cfg.NotificationURL, cfg.BillingURL, cfg.AdminURL = cfg.AuthURL, cfg.AuthURL, cfg.AuthURL, cfg.AuthURL, cfg.AuthURL
	cfg.CachePatience, cfg.DrainTime = patient, 10*time.Second
	if err := cfg.PassportKeys.UnmarshalText([]byte(os.Getenv("TEST_CHILD_KEY"))); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	g, err := Open(ctx, cfg, Options{})
	if err != nil {
		return err
	}
	return g.Run(ctx)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// open begins a stream and answers what comes after its ready.
func (c *childGateway) open(t *testing.T, token string) *bufio.Reader {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		t.Error(err)
		return nil
	}
	c.mu.Lock()
	c.conns = append(c.conns, conn)
	c.mu.Unlock()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if _, err := fmt.Fprintf(conn, "GET /api/events/ HTTP/1.1\r\nHost: gateway\r\nAuthorization: Token %s\r\n\r\n", token); err != nil {
		t.Error(err)
		return nil
	}
	reader := bufio.NewReaderSize(conn, 1024)
	if err := hearEvent(reader, "ready"); err != nil {
		t.Error(err)
		return nil
	}
	return reader
}

func hearEvent(from *bufio.Reader, kind string) error {
	for {
		line, err := from.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "event: "+kind+"\n" {
			return nil
		}
	}
}

// memory is what the gateway's process has resident, and what of it is in use as heap and as stacks.
func (c *childGateway) memory(t *testing.T) (resident, used int) {
	t.Helper()
	resp, err := http.Get("http://" + c.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var value float64
		name, text, _ := strings.Cut(lines.Text(), " ")
		_, _ = fmt.Sscan(text, &value)
		switch name {
		case "go_memstats_heap_inuse_bytes", "go_memstats_stack_inuse_bytes":
			used += int(value)
		case "process_resident_memory_bytes":
			resident = int(value)
		}
	}
	if resident == 0 || used == 0 {
		t.Fatal("the gateway does not say what memory it uses")
	}
	return resident, used
}

// counted counts the entries that are asked for again.
type counted struct{ entries atomic.Int64 }

func (c *counted) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counted) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c *counted) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if read, ok := cmd.(*redis.XMessageSliceCmd); ok {
			c.entries.Add(int64(len(read.Val())))
		}
		return err
	}
}

func TestAnIDThatIsNotThereCostsNothing(t *testing.T) {
	w := build(t)
	w.village()
	token, _ := w.signIn("UTC")
	last := w.tell(t, make([]events.Update, liveReplay/2)...)
	testkit.Eventually(t, "the gateway has read them", func() bool {
		at, _ := w.live.position()
		return at.id.String() == last
	})
	var read counted
	w.live.rdb.AddHook(&read)
	for _, unknown := range []string{"0-1", "1-1", "99999999999999-0"} {
		w.listen(t, token, "Last-Event-ID", unknown).next("reset")
	}
	if n := read.entries.Load(); n != 0 {
		t.Errorf("read %d entries of the stream in vain", n)
	}
}
