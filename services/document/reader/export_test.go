package reader

import (
	"context"
	"io"
	"os"
	"time"
)

// ServeTests is Serve, with operations that a decoder should never be.
func ServeTests(in io.Reader, out io.Writer) error {
	d := &decoders{dir: os.Getenv(dirVariable)}
	all := d.operations()
	all["hang"] = func(question) (answer, error) {
		for {
			spin()
		}
	}
	all["panic"] = func(question) (answer, error) { panic("ouch") }
	all["crash"] = func(question) (answer, error) {
		go func() { panic("ouch") }()
		select {}
	}
	all["eat"] = func(question) (answer, error) {
		var all [][]byte
		for {
			b := make([]byte, 64<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
			if len(all) > 64 {
				return answer{}, nil
			}
		}
	}
	all["environment"] = func(question) (answer, error) {
		env := ""
		for _, e := range os.Environ() {
			env += e + "\n"
		}
		return answer{Pages: Pages{Text: env}}, nil
	}
	all["who"] = func(question) (answer, error) { return answer{Pages: Pages{Count: os.Getpid()}}, nil }
	return serve(in, out, d, all)
}

var started = time.Now()

func spin() bool { return time.Since(started) < 0 }

// Perform lets the background's child perform an operation of the tests.
func (r *Reader) Perform(ctx context.Context, op string) (Pages, error) {
	a, err := r.background.ask(ctx, question{Op: op})
	return a.Pages, err
}
