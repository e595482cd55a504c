package reader

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What there is to do.
const (
	opUpright    = "upright"
	opThumbnails = "thumbnails"
	opPDF        = "pdf"
	opText       = "text"
)

// The memory of a child, in bytes: what it is told to stay below, and where it ends itself.
const (
	softMemory = 768 << 20
	hardMemory = 1280 << 20
)

// Asked says whether this program was started to read files. The arguments are those behind its name.
func Asked(args []string) bool {
	return len(args) == 1 && args[0] == argument || len(args) == 2 && args[0] == argument && args[1] == backgroundArgument
}

// Serve is the child: it reads files until in ends, which it does when the parent is done or gone. It changes the process
// for good: use it in a main that does nothing else.
func Serve(in io.Reader, out io.Writer) error {
	d := &decoders{dir: os.Getenv(dirVariable)}
	return serve(in, out, d, d.operations())
}

type operation func(question) (answer, error)

func (d *decoders) operations() map[string]operation {
	return map[string]operation{opUpright: d.upright, opThumbnails: d.thumbnails, opPDF: d.pdf, opText: text}
}

func serve(in io.Reader, out io.Writer, d *decoders, operations map[string]operation) error {
	if err := confine(len(os.Args) == 3); err != nil {
		return fmt.Errorf("confine the reader: %w", err)
	}
	go watchMemory()
	questions := make(chan []byte)
	go func() {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 64<<10)
		for lines.Scan() {
			questions <- append([]byte(nil), lines.Bytes()...)
		}
		os.Exit(0) // nobody is there any more to read for, also while we read
	}()
	answers := json.NewEncoder(out)
	for line := range questions {
		var q question
		if err := json.Unmarshal(line, &q); err != nil {
			return fmt.Errorf("question: %w", err)
		}
		a := answer{Begun: true}
		if err := d.prepare(q); err != nil {
			a = answer{Fault: broken, Message: err.Error()}
		}
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		if !a.Begun {
			continue
		}
		if err := answers.Encode(perform(operations[q.Op], q)); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		debug.FreeOSMemory() // until the next file, others may have it
	}
	return nil
}

// perform runs the operation; a decoder that panics refuses its file.
func perform(op operation, q question) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{Fault: damaged, Message: fmt.Sprintf("the decoder panics: %v", p)}
		}
	}()
	if op == nil {
		return answer{Fault: broken, Message: "there is no operation " + q.Op}
	}
	a, err := op(q)
	switch {
	case err == nil:
		return a
	case errors.Is(err, ErrDamaged):
		return answer{Fault: damaged, Message: err.Error()}
	case errors.Is(err, ErrTooHard):
		return answer{Fault: tooHard, Message: err.Error()}
	}
	return answer{Fault: broken, Message: err.Error()}
}

// watchMemory ends the process before it takes so much that the machine ends another one.
func watchMemory() {
	used := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(50 * time.Millisecond) {
		metrics.Read(used)
		if used[0].Value.Uint64()-used[1].Value.Uint64() > hardMemory {
			fmt.Fprintln(os.Stderr, "out of the memory that a file may take")
			os.Exit(3)
		}
	}
}
