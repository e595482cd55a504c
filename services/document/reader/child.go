package reader

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"hearth.internal/document/filetype"
)

const (
	argument           = "read-files"
	backgroundArgument = "background"
	dirVariable        = "HEARTH_READER_DIR"
)

// maxAnswer is longer than any answer: TextSize bytes, each of which JSON may write as six.
const maxAnswer = 8 * TextSize

// endTime is how long a child may take to end once it has nothing more to do.
const endTime = 5 * time.Second

// readyTime is how long a child may take to be ready for a file: on a slow machine, compiling PDFium for the first time
// takes most of a minute.
const readyTime = 3 * time.Minute

// question is a line that a child reads.
type question struct {
	Op          string        `json:"op"`
	In          string        `json:"in"`
	Out         string        `json:"out,omitempty"`
	Preview     string        `json:"preview,omitempty"`
	Type        filetype.Type `json:"type"`
	Orientation int           `json:"orientation,omitempty"`
}

// answer is a line that it writes: one when its decoder is ready and it begins, and one when it is done.
type answer struct {
	Begun   bool    `json:"begun,omitempty"`
	Fault   fault   `json:"fault,omitempty"`
	Message string  `json:"message,omitempty"`
	Picture Picture `json:"picture,omitzero"`
	Pages   Pages   `json:"pages,omitzero"`
}

// fault is why there is no result.
type fault string

const (
	damaged fault = "damaged" // the decoder refuses the file
	tooHard fault = "hard"
	broken  fault = "broken" // anything else
)

func (a answer) err() error {
	switch a.Fault {
	case "":
		return nil
	case damaged:
		return fmt.Errorf("%w: %s", ErrDamaged, a.Message)
	case tooHard:
		return fmt.Errorf("%w: %s", ErrTooHard, a.Message)
	case broken:
	}
	return errors.New(a.Message)
}

// errNotBegun is of a child that ended before it had the question.
var errNotBegun = errors.New("the process that reads files has ended")

// errNotReady is of a child that has not begun in time: that is not the file's fault.
var errNotReady = errors.New("the process that reads files does not get ready")

// child is a process that reads files.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan []byte // closed when the child has ended
	last  *tail
	asked int
}

func start(o Options, args []string) (*child, error) {
	program := o.Program
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("own program: %w", err)
		}
	}
	c := &child{cmd: exec.Command(program, args...), lines: make(chan []byte), last: &tail{}} //nolint:noctx // it outlives the request that starts it
	c.cmd.Env = environment(o.Dir)
	c.cmd.Stderr = c.last
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C in the terminal ends us first
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("pipe to the reader: %w", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("pipe from the reader: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the reader: %w", err)
	}
	c.in = in
	go c.listen(out)
	return c, nil
}

// environment is all that a child knows: no secret of ours.
func environment(dir string) []string {
	env := []string{"GOMEMLIMIT=" + strconv.Itoa(softMemory), "GOMAXPROCS=2", "GOTRACEBACK=none"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	if dir != "" {
		env = append(env, dirVariable+"="+dir)
	}
	return env
}

// listen hands the child's lines on until it ends, and then sees it off.
func (c *child) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		c.lines <- append([]byte(nil), lines.Bytes()...)
	}
	_ = c.cmd.Process.Kill() // it has closed its output, or writes nonsense
	_ = c.cmd.Wait()         // how it ended stands in ProcessState
	close(c.lines)
}

// ask gives the child a question and waits for its answer. When it fails, the child is of no further use.
func (c *child) ask(ctx context.Context, q question, timeout time.Duration) (answer, error) {
	line, err := json.Marshal(q)
	if err != nil {
		return answer{}, fmt.Errorf("ask the reader: %w", err)
	}
	c.asked++
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return answer{}, fmt.Errorf("%w: %w", errNotBegun, err)
	}
	a, err := c.answer(ctx, readyTime, errNotReady)
	if err != nil || !a.Begun {
		return a, err
	}
	a, err = c.answer(ctx, timeout, ErrTooHard)
	if errors.Is(err, errNotBegun) { // it had begun
		return answer{}, fmt.Errorf("%w: the process ended: %s: %s", ErrTooHard, c.cmd.ProcessState, c.last)
	}
	return a, err
}

// answer waits for the child's next line, until late is the reason for not waiting any longer.
func (c *child) answer(ctx context.Context, patience time.Duration, late error) (a answer, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, late)
	defer cancel()
	select {
	case line, ok := <-c.lines:
		if !ok {
			return a, fmt.Errorf("%w: %s: %s", errNotBegun, c.cmd.ProcessState, c.last)
		}
		if err := json.Unmarshal(line, &a); err != nil {
			return a, fmt.Errorf("answer of the reader: %w", err)
		}
		return a, nil
	case <-ctx.Done():
		return a, fmt.Errorf("read a file: %w", context.Cause(ctx))
	}
}

// kill ends the child at once.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended already
	c.drain()
}

// end lets the child end: it does when it has nothing more to read.
func (c *child) end() {
	_ = c.in.Close() // it may have ended already
	late := time.AfterFunc(endTime, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	c.drain()
}

// drain waits for the end of the child.
func (c *child) drain() {
	for range c.lines { // nobody asks for them any more
	}
}

// tail is the end of what was written to it.
type tail struct{ last []byte }

const tailSize = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.last = append(t.last, p...)
	t.last = append([]byte(nil), t.last[max(0, len(t.last)-tailSize):]...)
	return len(p), nil
}

func (t *tail) String() string { return string(t.last) }
