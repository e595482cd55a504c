package stores

import (
	"os"
	"path/filepath"
	"strings"
)

const logLimit = 10 << 20

// A serverLog is a server's log file, read again from where this start began.
type serverLog struct {
	file *os.File
	from int64
}

func (h *home) logPath(name string) string { return filepath.Join(h.dir, name+".log") }

func (h *home) openLog(name string) (*serverLog, error) {
	path := h.logPath(name)
	mode := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		mode |= os.O_TRUNC
	}
	file, err := os.OpenFile(path, mode, 0o644)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &serverLog{file: file, from: info.Size()}, nil
}

func (l *serverLog) path() string { return l.file.Name() }

// lines returns what was logged since the log was opened, without the empty lines.
func (l *serverLog) lines() []string {
	text, err := os.ReadFile(l.path())
	if err != nil || int64(len(text)) < l.from {
		return nil
	}
	var lines []string
	for line := range strings.Lines(string(text[l.from:])) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
