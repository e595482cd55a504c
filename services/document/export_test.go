package document

import "io"

// LetGoLateOnce is one look of the background work, for a test that does not wait for the next.
var LetGoLateOnce = letGoLateOnce

// ReadBounded reads a file as it is taken in, up to 1 KiB.
func ReadBounded(from io.Reader) error {
	_, err := io.Copy(io.Discard, &bounded{from: from, most: 1 << 10})
	return err
}
